//! `muster cluster scale NAME --workers N`

use clap::Args;
use muster_protocol::Name;

use crate::cli::change::Change;
use crate::cli::context::Context;
use crate::cli::failure::Result;

/// The arguments.
#[derive(Debug, Args)]
#[command(after_help = "See first what would be done: muster cluster plan NAME --workers N")]
pub struct Scale {
    /// The cluster
    pub name: Name,
    #[command(flatten)]
    pub numbers: Numbers,
    #[command(flatten)]
    pub change: Change,
}

/// How many machines.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub struct Numbers {
    /// Machines that run the control plane, an odd number; as they are if not given
    #[arg(long, value_name = "N")]
    pub control_planes: Option<u32>,
    /// Machines that only run services; as they are if not given
    #[arg(long, value_name = "N")]
    pub workers: Option<u32>,
}

impl Scale {
    /// Asks for it.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        let Self { name, numbers: Numbers { control_planes, workers }, change } = self;
        let client = context.client().await?;
        let key = change.idempotency_key.clone();
        let operation = client.cluster_scale(&name, control_planes, workers, key).await?;
        change.conclude(context, &client, operation).await
    }
}
