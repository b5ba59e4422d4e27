//! Clusters: `muster cluster …`, one file a verb.

mod access;
mod create;
mod delete;
mod docker_context;
mod info;
mod kubeconfig;
mod list;
mod merge;
mod plan;
mod renew;
mod retry;
mod scale;
mod steps;
mod upgrade;
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
    /// Bring its machines to another version, or to the recipe of this release
    Upgrade(upgrade::Upgrade),
    /// Give its machines new certificates
    Renew(renew::Renew),
    /// A kubeconfig for a Kubernetes cluster, with a certificate of its own that ends
    Kubeconfig(kubeconfig::Kubeconfig),
    /// A Docker context for a Swarm cluster, with a certificate of its own that ends
    DockerContext(docker_context::DockerContext),
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
            Self::Upgrade(upgrade) => upgrade.run(context).await,
            Self::Renew(renew) => renew.run(context).await,
            Self::Kubeconfig(kubeconfig) => kubeconfig.run(context).await,
            Self::DockerContext(docker_context) => docker_context.run(context).await,
        }
    }
}
