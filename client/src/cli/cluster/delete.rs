//! `muster cluster delete NAME`

use clap::Args;
use muster_protocol::Name;

use crate::cli::change::Change;
use crate::cli::context::Context;
use crate::cli::failure::Result;

/// The arguments.
#[derive(Debug, Args)]
#[command(after_help = "See first what would be removed: muster cluster plan NAME --delete")]
pub struct Delete {
    /// The cluster
    pub name: Name,
    #[command(flatten)]
    pub change: Change,
}

impl Delete {
    /// Asks for it.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        let Self { name, change } = self;
        let client = context.client().await?;
        let operation = client.cluster_delete(&name, change.idempotency_key.clone()).await?;
        change.conclude(context, &client, operation).await
    }
}
