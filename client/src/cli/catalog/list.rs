//! `muster catalog list`

use clap::Args;

use crate::cli::context::Context;
use crate::cli::failure::Result;

/// The arguments: none.
#[derive(Debug, Args)]
pub struct List {}

impl List {
    /// Asks and prints.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        let listing = context.client().await?.catalog_list().await?;
        context.output.thing(&listing)
    }
}
