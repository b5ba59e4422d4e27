//! `muster cluster upgrade NAME [--version V]`

use clap::Args;
use muster_protocol::Name;
use muster_protocol::model::plan::PlanChange;

use crate::cli::change::Change;
use crate::cli::context::Context;
use crate::cli::failure::Result;

/// The arguments.
#[derive(Debug, Args)]
#[command(
    after_help = "Without --version the machines get the recipe of this release of Muster, if `cluster info` says \
    that a newer one is there."
)]
pub struct Upgrade {
    /// The cluster
    pub name: Name,
    /// The orchestrator's version; as it is if not given
    #[arg(long, value_name = "VERSION")]
    pub version: Option<String>,
    /// Show what would be done, and do nothing
    #[arg(long, conflicts_with_all = ["wait", "idempotency_key"])]
    pub plan: bool,
    #[command(flatten)]
    pub change: Change,
}

impl Upgrade {
    /// Asks for it, or for its plan.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        let Self { name, version, plan, change } = self;
        let client = context.client().await?;
        if plan {
            let plan = client.cluster_plan(PlanChange::Upgrade { cluster: name, version }).await?;
            return context.output.thing(&plan);
        }
        let operation = client.cluster_upgrade(&name, version, change.idempotency_key.clone()).await?;
        change.conclude(context, &client, operation).await
    }
}
