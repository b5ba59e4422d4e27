//! `muster cluster renew NAME`

use clap::Args;
use muster_protocol::Name;
use muster_protocol::model::plan::PlanChange;

use crate::cli::change::Change;
use crate::cli::context::Context;
use crate::cli::failure::Result;

/// The arguments.
#[derive(Debug, Args)]
pub struct Renew {
    /// The cluster
    pub name: Name,
    /// Show what would be done, and do nothing
    #[arg(long, conflicts_with_all = ["wait", "idempotency_key"])]
    pub plan: bool,
    #[command(flatten)]
    pub change: Change,
}

impl Renew {
    /// Asks for it, or for its plan.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        let Self { name, plan, change } = self;
        let client = context.client().await?;
        if plan {
            let plan = client.cluster_plan(PlanChange::Renew { cluster: name }).await?;
            return context.output.thing(&plan);
        }
        let operation = client.cluster_renew(&name, change.idempotency_key.clone()).await?;
        change.conclude(context, &client, operation).await
    }
}
