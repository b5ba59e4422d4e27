//! `muster account check NAME`

use clap::Args;
use muster_protocol::Name;

use crate::cli::context::Context;
use crate::cli::failure::Result;
use crate::cli::finding;

/// The arguments.
#[derive(Debug, Args)]
pub struct Check {
    /// The account, or an infrastructure for its default account
    pub name: Name,
}

impl Check {
    /// Asks and prints; fails if anything is wrong.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        let check = context.client().await?.account_check(&self.name).await?;
        finding::print(context, &check, &check.findings)
    }
}
