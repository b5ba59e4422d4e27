//! `muster cluster plan NAME`: what would be done for a change, or is still to be done, without doing it.

use std::path::PathBuf;

use clap::Args;
use muster_protocol::Name;
use muster_protocol::model::cluster::ClusterSpec;
use muster_protocol::model::plan::PlanChange;

use crate::cli::context::Context;
use crate::cli::failure::{Failure, Result};
use crate::cli::input;

/// The arguments.
#[derive(Debug, Args)]
#[command(after_help = "Without a change: what is still to be done now, and what it waits for.\n\
    For a cluster that does not exist yet: -f FILE here, or `muster cluster create … --plan`.")]
pub struct Plan {
    /// The cluster; with -f it may be left out
    #[arg(required_unless_present = "file")]
    pub name: Option<Name>,
    /// The change: so many control-plane machines
    #[arg(long, value_name = "N")]
    pub control_planes: Option<u32>,
    /// The change: so many workers
    #[arg(long, value_name = "N")]
    pub workers: Option<u32>,
    /// The change: delete it
    #[arg(long, conflicts_with_all = ["control_planes", "workers", "file"])]
    pub delete: bool,
    /// The change: create the cluster of this YAML file; `-` is standard input
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["control_planes", "workers"])]
    pub file: Option<PathBuf>,
}

impl Plan {
    /// Asks and prints.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        let change = self.change()?;
        let plan = context.client().await?.cluster_plan(change).await?;
        context.output.thing(&plan)
    }

    fn change(self) -> Result<PlanChange> {
        let Self { name, control_planes, workers, delete, file } = self;
        match (name, file) {
            (name, Some(file)) => {
                let mut spec: ClusterSpec = input::read_yaml(&file)?;
                if let Some(name) = name {
                    spec.name = name;
                }
                Ok(PlanChange::Create(spec))
            }
            (Some(cluster), None) if delete => Ok(PlanChange::Delete { cluster }),
            (Some(cluster), None) if control_planes.is_none() && workers.is_none() => {
                Ok(PlanChange::Current { cluster })
            }
            (Some(cluster), None) => Ok(PlanChange::Scale { cluster, control_planes, workers }),
            (None, None) => Err(Failure::usage("no cluster is named", "give its name, or a file with -f")),
        }
    }
}
