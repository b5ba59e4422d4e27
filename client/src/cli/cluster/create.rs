//! `muster cluster create NAME …` or `-f cluster.yaml`

use std::path::PathBuf;

use clap::Args;
use muster_protocol::Name;
use muster_protocol::model::cluster::{ClusterSpec, Infrastructure, MachineShape, Orchestrator};
use muster_protocol::model::plan::PlanChange;
use muster_protocol::quantity::{Bytes, CpuMillis};

use crate::cli::change::Change;
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Result};
use crate::cli::input;
use crate::cli::kinds;

/// The arguments.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    muster cluster create demo --orchestrator swarm --infrastructure local --workers 2 --wait\n  \
    muster cluster create -f cluster.yaml --plan\n\n\
    With -f, flags that are given too replace what the file says; labels and options are added to the file's. \
    Machine pools are said in a file only.")]
pub struct Create {
    /// The cluster's name
    #[arg(required_unless_present = "file")]
    pub name: Option<Name>,
    /// A YAML file with the cluster; `-` is standard input
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Which orchestrator to run
    #[arg(long, value_parser = kinds::orchestrators(), required_unless_present = "file", value_name = "KIND")]
    pub orchestrator: Option<Orchestrator>,
    /// Where its machines come from
    #[arg(long, value_parser = kinds::infrastructures(), required_unless_present = "file", value_name = "KIND")]
    pub infrastructure: Option<Infrastructure>,
    /// Machines that run the control plane, an odd number [default: 1]
    #[arg(long, value_name = "N")]
    pub control_planes: Option<u32>,
    /// Machines that only run services [default: 0]
    #[arg(long, value_name = "N")]
    pub workers: Option<u32>,
    /// The orchestrator's version [default: what its machines are prepared with]
    #[arg(long, value_name = "VERSION")]
    pub version: Option<String>,
    /// The account at the infrastructure [default: the infrastructure's default account]
    #[arg(long, value_name = "NAME")]
    pub account: Option<Name>,
    /// Processor time of each machine, such as 2 or 500m
    #[arg(long, value_name = "CORES")]
    pub cpu: Option<CpuMillis>,
    /// Memory of each machine, such as 2Gi
    #[arg(long, value_name = "BYTES")]
    pub memory: Option<Bytes>,
    /// Disk of each machine, such as 20Gi
    #[arg(long, value_name = "BYTES")]
    pub disk: Option<Bytes>,
    /// The infrastructure's name of the machine image
    #[arg(long, value_name = "IMAGE")]
    pub image: Option<String>,
    /// A label; can be given several times
    #[arg(short, long = "label", value_name = "KEY=VALUE", value_parser = input::pair)]
    pub labels: Vec<(String, String)>,
    /// A setting of the orchestrator or the infrastructure; can be given several times
    #[arg(long = "option", value_name = "NAME=VALUE", value_parser = input::pair)]
    pub options: Vec<(String, String)>,
    /// Show what would be done, and do nothing
    #[arg(long, conflicts_with_all = ["wait", "idempotency_key"])]
    pub plan: bool,
    #[command(flatten)]
    pub change: Change,
}

impl Create {
    /// Asks for it, or for its plan.
    pub async fn run(mut self, context: &mut Context) -> Result<()> {
        let change = std::mem::take(&mut self.change);
        let only_plan = self.plan;
        let spec = self.spec()?;
        let client = context.client().await?;
        if only_plan {
            let plan = client.cluster_plan(PlanChange::Create(spec)).await?;
            return context.output.thing(&plan);
        }
        let operation = client.cluster_create(spec, change.idempotency_key.clone()).await?;
        change.conclude(context, &client, operation).await
    }

    fn spec(self) -> Result<ClusterSpec> {
        let mut spec = match (&self.file, self.name.clone(), self.orchestrator, self.infrastructure) {
            (Some(file), ..) => input::read_yaml(file)?,
            (None, Some(name), Some(orchestrator), Some(infrastructure)) => {
                ClusterSpec::new(name, orchestrator, infrastructure)
            }
            (None, ..) => {
                let remedy = "give NAME, --orchestrator and --infrastructure, or a file with -f";
                return Err(Failure::usage("name, orchestrator and infrastructure are required", remedy));
            }
        };
        let MachineShape { cpu, memory, disk, image } = &mut spec.machine;
        replace(&mut spec.name, self.name);
        replace(&mut spec.orchestrator, self.orchestrator);
        replace(&mut spec.infrastructure, self.infrastructure);
        replace(&mut spec.control_planes, self.control_planes);
        replace(&mut spec.workers, self.workers);
        replace(&mut spec.version, self.version.map(Some));
        replace(&mut spec.account, self.account.map(Some));
        replace(cpu, self.cpu.map(Some));
        replace(memory, self.memory.map(Some));
        replace(disk, self.disk.map(Some));
        replace(image, self.image.map(Some));
        input::collect(&mut spec.labels, self.labels, "--label")?;
        input::collect(&mut spec.options, self.options, "--option")?;
        Ok(spec)
    }
}

fn replace<T>(field: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *field = given;
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        create: Create,
    }

    fn spec(arguments: &[&str]) -> Result<ClusterSpec> {
        let line = Line::try_parse_from([&["create"], arguments].concat()).unwrap();
        line.create.spec()
    }

    #[test]
    fn flags_make_a_whole_cluster() {
        let flags = "demo --orchestrator swarm --infrastructure local --control-planes 3 --workers 2 --version 27.0 \
                     --account home --cpu 1.5 --memory 2Gi --disk 10Gi --image bookworm -l a=b --label c=d \
                     --option podCidr=10.1.0.0/16";
        let arguments: Vec<&str> = flags.split_whitespace().collect();
        insta::assert_json_snapshot!(spec(&arguments).unwrap());
    }

    #[test]
    fn flags_replace_what_the_file_says_and_labels_are_added() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cluster.yaml");
        let text = "name: demo\norchestrator: swarm\ninfrastructure: local\nworkers: 2\nlabels: {a: b, c: d}\n";
        fs::write(&file, text).unwrap();
        let file = file.to_str().unwrap();
        let spec = spec(&["other", "-f", file, "--workers", "5", "--label", "c=e"]).unwrap();
        assert_eq!(spec.name.as_str(), "other");
        assert_eq!((spec.control_planes, spec.workers), (1, 5));
        assert_eq!(spec.labels["a"], "b");
        assert_eq!(spec.labels["c"], "e");
    }

    #[test]
    fn a_plan_is_not_waited_for() {
        let line = "create demo --orchestrator sim --infrastructure sim --plan --wait";
        assert!(Line::try_parse_from(line.split_whitespace()).is_err());
    }
}
