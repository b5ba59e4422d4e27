//! Clusters: `muster cluster …`, one file a verb.

mod create;
mod delete;
mod info;
mod list;
mod plan;
mod retry;
mod scale;
mod steps;
mod view;

use clap::Subcommand;

use super::context::Context;
use super::failure::Result;

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Create a cluster
    Create(create::Create),
    /// List clusters
    List(list::List),
    /// Everything about one cluster
    Info(info::Info),
    /// Change the numbers of machines
    Scale(scale::Scale),
    /// Delete a cluster with all it has
    Delete(delete::Delete),
    /// What would be done for a change, without doing it
    Plan(plan::Plan),
    /// Try again now whatever failed and waits
    Retry(retry::Retry),
}

impl Verb {
    /// Does it.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        match self {
            Self::Create(create) => create.run(context).await,
            Self::List(list) => list.run(context).await,
            Self::Info(info) => info.run(context).await,
            Self::Scale(scale) => scale.run(context).await,
            Self::Delete(delete) => delete.run(context).await,
            Self::Plan(plan) => plan.run(context).await,
            Self::Retry(retry) => retry.run(context).await,
        }
    }
}
