//! `muster cluster info NAME`

use clap::Args;
use muster_protocol::Name;

use crate::cli::context::Context;
use crate::cli::failure::Result;

/// The arguments.
#[derive(Debug, Args)]
pub struct Info {
    /// The cluster
    pub name: Name,
}

impl Info {
    /// Asks and prints.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        let cluster = context.client().await?.cluster_info(&self.name).await?;
        context.output.thing(&cluster)
    }
}
