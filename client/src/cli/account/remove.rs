//! `muster account remove NAME`

use clap::Args;
use muster_protocol::Name;
use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::failure::Result;

/// The arguments.
#[derive(Debug, Args)]
pub struct Remove {
    /// The account
    pub name: Name,
}

#[derive(Serialize)]
struct Removed {
    removed: Name,
}

impl Remove {
    /// Asks for it.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        context.client().await?.account_remove(&self.name).await?;
        let removed = Removed { removed: self.name };
        context.output.said(&removed, || format!("account {} removed", removed.removed))
    }
}
