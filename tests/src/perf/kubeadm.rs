//! A Kubernetes cluster by hand, with `kubeadm`, on the machines of one that Muster has made.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::StreamExt as _;
use muster_client::protocol::Name;
use muster_client::protocol::model::event::EventKind;
use muster_client::{Client, EventQuery};
use tokio::time::timeout;

use super::say;
use super::swarm::median;

const SCRIPT: &str = include_str!("kubeadm_by_hand.sh");
/// How often the cluster is made by hand.
const ROUNDS: usize = 3;
/// Far above what it takes.
const LIMIT: Duration = Duration::from_secs(300);
/// What the daemon calls the step with which a control plane becomes a cluster.
const FORM: &str = "form orchestrator";

/// How long Muster took for this cluster from its first control plane's being prepared, in seconds. Other machines may have
/// been prepared after that.
pub(super) async fn by_muster(client: &Client, cluster: &Name) -> Result<f64> {
    let mut events = client.events(EventQuery { cluster: Some(cluster.clone()), ..EventQuery::default() });
    let (mut began, mut ended) = (None, None);
    while let Some(event) = events.next().await {
        let event = event?;
        if event.kind == EventKind::StepStarted && event.message == FORM {
            began = began.or(Some(event.at));
        }
        if event.kind == EventKind::OperationEnded {
            ended = ended.or(Some(event.at));
        }
    }
    let (began, ended) = (began.context("no event says that it was formed")?, ended.context("it is not made")?);
    Ok(ended.since(began).as_secs_f64())
}

/// How long `kubeadm` takes on the same machines, in seconds. They have this label, and no daemon that heals what is taken off
/// them.
pub(super) async fn by_hand(label: &str) -> Result<f64> {
    let mut times = Vec::new();
    for round in 1..=ROUNDS {
        say(&format!("kubernetes: the same machines by kubeadm, {round} of {ROUNDS}"));
        perform(label, "reset").await?;
        let began = Instant::now();
        perform(label, "create").await?;
        times.push(began.elapsed().as_secs_f64());
    }
    Ok(median(times))
}

async fn perform(label: &str, verb: &str) -> Result<()> {
    let mut command = tokio::process::Command::new("sh");
    command.args(["-c", SCRIPT, "kubeadm_by_hand.sh", verb]).env("LABEL", label);
    command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
    let status = timeout(LIMIT, command.status()).await.context("the script takes too long")??;
    ensure!(status.success(), "the script failed to {verb} ({status})");
    Ok(())
}
