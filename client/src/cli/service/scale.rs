//! `muster service scale NAME --cluster C --replicas N`

use clap::Args;
use muster_protocol::Name;

use crate::cli::change::Change;
use crate::cli::context::Context;
use crate::cli::failure::Result;

/// The arguments.
#[derive(Debug, Args)]
pub struct Scale {
    /// The service
    pub name: Name,
    /// Its cluster
    #[arg(short, long, value_name = "NAME")]
    pub cluster: Name,
    /// How many copies
    #[arg(long, value_name = "N")]
    pub replicas: u32,
    #[command(flatten)]
    pub change: Change,
}

impl Scale {
    /// Asks for it.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        let Self { name, cluster, replicas, change } = self;
        let client = context.client().await?;
        let operation = client.service_scale(&cluster, &name, replicas, change.idempotency_key.clone()).await?;
        change.conclude(context, &client, operation).await
    }
}
