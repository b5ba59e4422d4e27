//! Kubernetes clusters from prepared machines, by Muster and by hand with `kubeadm`.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::StreamExt as _;
use muster_client::protocol::Name;
use muster_client::protocol::model::cluster::ClusterSpec;
use muster_client::protocol::model::event::EventKind;
use muster_client::{Client, EventQuery};
use muster_engine::context::mark;
use tokio::time::timeout;

use super::Options;
use super::daemon::Daemon;
use super::swarm::Label;

const SCRIPT: &str = include_str!("kubeadm_by_hand.sh");
/// Far above what it takes.
const LIMIT: Duration = Duration::from_secs(400);
/// What the daemon calls the step with which a control plane becomes a cluster.
const FORM: &str = "form orchestrator";

/// How long the making of this cluster took once its control plane was prepared, in seconds, until the cluster was ready.
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

/// How long `kubeadm` takes for the same on machines that Muster has prepared, in seconds, until all nodes are ready. What was
/// made is removed.
pub(super) async fn by_hand(options: &Options, folder: &str, cluster: ClusterSpec) -> Result<f64> {
    let daemon = Daemon::start_and_wait(&options.musterd, &options.dir.join(folder)).await?;
    let client = daemon.client().await?;
    let made = Label(format!("{}={}", mark::INSTANCE, client.whoami().await?.instance));
    // Declared behind the label, and so gone before what it made is removed.
    let daemon = daemon;
    client.cluster_create(cluster, None).await?;
    perform(&made, "begun").await?;
    // From here on the preparations go on by themselves, and nothing follows them.
    daemon.kill().await?;
    perform(&made, "prepared").await?;
    let began = Instant::now();
    perform(&made, "create").await?;
    Ok(began.elapsed().as_secs_f64())
}

async fn perform(made: &Label, verb: &str) -> Result<()> {
    let mut command = tokio::process::Command::new("sh");
    command.args(["-c", SCRIPT, "kubeadm_by_hand.sh", verb]).env("LABEL", &made.0);
    command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
    let status = timeout(LIMIT, command.status()).await.context("the script takes too long")??;
    ensure!(status.success(), "the script failed: {verb} ({status})");
    Ok(())
}
