//! `muster catalog show TEMPLATE`

use clap::Args;
use muster_protocol::Name;

use crate::cli::context::Context;
use crate::cli::failure::Result;

/// The arguments.
#[derive(Debug, Args)]
pub struct Show {
    /// The template
    pub template: Name,
}

impl Show {
    /// Asks and prints.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        let catalog = context.client().await?.catalog_show(&self.template).await?;
        context.output.thing(&catalog)
    }
}
