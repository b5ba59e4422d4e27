//! `muster container info ID`

use clap::Args;

use crate::cli::context::Context;
use crate::cli::failure::Result;

/// The arguments.
#[derive(Debug, Args)]
pub struct Info {
    /// The container's id, as `muster container list` shows it
    pub id: String,
}

impl Info {
    /// Asks and prints.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        let container = context.client().await?.container_info(&self.id).await?;
        context.output.thing(&container)
    }
}
