//! `muster service delete NAME --cluster C`

use clap::Args;
use muster_protocol::Name;

use crate::cli::change::Change;
use crate::cli::context::Context;
use crate::cli::failure::Result;

/// The arguments.
#[derive(Debug, Args)]
pub struct Delete {
    /// The service
    pub name: Name,
    /// Its cluster
    #[arg(short, long, value_name = "NAME")]
    pub cluster: Name,
    #[command(flatten)]
    pub change: Change,
}

impl Delete {
    /// Asks for it.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        let Self { name, cluster, change } = self;
        let client = context.client().await?;
        let operation = client.service_delete(&cluster, &name, change.idempotency_key.clone()).await?;
        change.conclude(context, &client, operation).await
    }
}
