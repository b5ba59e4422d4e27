//! A real three-machine Swarm cluster on the local Docker Engine, beside the same steps by hand.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use muster_client::Client;
use muster_client::protocol::Name;
use muster_client::protocol::model::cluster::{ClusterSpec, Infrastructure, Orchestrator};
use muster_client::protocol::model::operation::{OperationInfo, OperationPhase};
use muster_engine::context::mark;
use tokio::time::timeout;

use super::daemon::Daemon;
use super::figure::Figure;
use super::fleet::spec;
use super::{Options, say};
use crate::images::docker::docker;

const SCRIPT: &str = include_str!("swarm_by_hand.sh");
const IMAGE: &str = "muster/machine:bookworm";
const NAME: &str = "perf";
/// Far above what either way takes.
const LIMIT: Duration = Duration::from_secs(300);

/// The figure.
pub async fn measure(options: &Options) -> Result<Vec<Figure>> {
    let image = docker(&["image", "inspect", "--format", "{{.Id}}", IMAGE]).await;
    image.with_context(|| format!("no {IMAGE}; `cargo xtask setup` makes it"))?;
    let daemon = Daemon::start_and_wait(&options.musterd, &options.dir.join("swarm")).await?;
    let client = daemon.client().await?;
    let owner = client.whoami().await?.instance.to_string();
    let by_hand = Label(format!("io.muster.perf={owner}"));
    let by_muster = Label(format!("{}={owner}", mark::INSTANCE));
    // Declared behind the labels, and so gone before what it made is removed.
    let _daemon = daemon;

    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 1..=options.swarm_rounds {
        say(&format!("swarm: three machines by hand, {round} of {}", options.swarm_rounds));
        theirs.push(make_by_hand(&by_hand, &options.dir.join(format!("by-hand-{round}"))).await?);
        say(&format!("swarm: three machines by Muster, {round} of {}", options.swarm_rounds));
        ours.push(timeout(LIMIT, make_by_muster(&client)).await.context("the cluster takes too long")??);
    }
    drop(by_muster);
    let figure = Figure::new("three-machine Swarm cluster: made", median(ours), "s").beside(median(theirs));
    Ok(vec![figure.ratio_at_most(1.15)])
}

/// How long the script takes. It removes what it made.
async fn make_by_hand(label: &Label, work: &Path) -> Result<f64> {
    std::fs::create_dir_all(work).with_context(|| format!("cannot create {}", work.display()))?;
    let began = Instant::now();
    let mut command = tokio::process::Command::from(label.script("create"));
    command.env("WORK", work).stdout(Stdio::null()).kill_on_drop(true);
    let status = timeout(LIMIT, command.status()).await.context("the script takes too long")??;
    ensure!(status.success(), "the script failed ({status})");
    let took = began.elapsed().as_secs_f64();
    label.remove().context("the script could not remove what it made")?;
    Ok(took)
}

/// How long Muster takes, from asking to the operation's end.
async fn make_by_muster(client: &Client) -> Result<f64> {
    let name: Name = NAME.parse().ok().context("a cluster's name is not valid")?;
    let sim = spec(NAME, 1, 2)?;
    let spec = ClusterSpec { orchestrator: Orchestrator::Swarm, infrastructure: Infrastructure::Local, ..sim };
    let began = Instant::now();
    let operation = client.cluster_create(spec, None).await?;
    succeeded(client.wait(operation.id).await?)?;
    let took = began.elapsed().as_secs_f64();
    let operation = client.cluster_delete(&name, None).await?;
    succeeded(client.wait(operation.id).await?)?;
    Ok(took)
}

/// That an operation went well.
pub(super) fn succeeded(operation: OperationInfo) -> Result<()> {
    ensure!(
        operation.phase == OperationPhase::Succeeded,
        "{} {}: {}",
        operation.kind,
        operation.phase,
        operation.message
    );
    Ok(())
}

/// The value in the middle.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// What was made under this label is removed when this is dropped, however the measurement ends.
pub(super) struct Label(pub(super) String);

impl Label {
    fn script(&self, verb: &str) -> std::process::Command {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", SCRIPT, "swarm_by_hand.sh", verb]).env("LABEL", &self.0).stdin(Stdio::null());
        command
    }

    fn remove(&self) -> Result<()> {
        let status = self.script("delete").status()?;
        ensure!(status.success(), "removing what has the label {} failed ({status})", self.0);
        Ok(())
    }
}

impl Drop for Label {
    fn drop(&mut self) {
        // The end of the measurement: there is no other work on this thread to block.
        if let Err(error) = self.remove() {
            say(&format!("{error}; see `docker ps --all --filter label={}`", self.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slow_round_does_not_decide() {
        assert_eq!(median(vec![9.0, 30.0, 8.0]), 9.0);
        assert!(median(Vec::new()).is_nan());
    }
}
