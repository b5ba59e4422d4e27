//! The whole way on EC2, by the command line: moto is the API, and a machine container stands for each instance.

mod cloud;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use muster_protocol::model::account::AccountCheck;
use muster_protocol::model::operation::{OperationInfo, OperationPhase};
use muster_tests::ec2::account::{everything, instances};

use crate::cloud::with_cloud;

const CREATE: [&str; 9] =
    ["cluster", "create", "demo", "--orchestrator", "swarm", "--infrastructure", "ec2", "--account", "cloud"];

#[tokio::test(flavor = "multi_thread")]
async fn a_swarm_on_ec2_serves_and_goes_without_a_trace() -> Result<()> {
    with_cloud("a_swarm_on_ec2_serves_and_goes_without_a_trace", async |cloud| {
        let check: AccountCheck = cloud.cli().json(&["account", "check", "cloud"]).await?;
        ensure!(check.findings.iter().all(|finding| finding.ok), "{check:#?}");
        let before = everything(&cloud.moto).await?;
        let _ = cloud.proxy.take_calls();
        let began = Instant::now();
        let create = [&CREATE[..], &["--workers", "1", "--wait"]].concat();
        let created: OperationInfo = cloud.cli().json(&create).await?;
        ensure!(created.phase == OperationPhase::Succeeded, "{created:#?}");
        let calls: u32 = cloud.proxy.take_calls().values().sum();
        println!("2 machines and their network: ready after {:.1} s, {calls} calls", began.elapsed().as_secs_f32());
        cloud.serves().await?;

        let deleted: OperationInfo = cloud.cli().json(&["cluster", "delete", "demo", "--wait"]).await?;
        ensure!(deleted.phase == OperationPhase::Succeeded, "{deleted:#?}");
        ensure!(everything(&cloud.moto).await? == before, "something is left");
        cloud.no_containers_are_left().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_killed_while_it_makes_and_removes_a_cluster_on_ec2_makes_and_removes_it_once() -> Result<()> {
    with_cloud("a_daemon_killed_while_it_makes_and_removes_a_cluster_on_ec2_makes_and_removes_it_once", async |cloud| {
        let before = everything(&cloud.moto).await?;
        let _: OperationInfo = cloud.cli().json(&[&CREATE[..], &["--workers", "1"]].concat()).await?;
        // As soon as the first instance is there, its answer may or may not have come.
        cloud.until("an instance is there", async || Ok(!instances(&cloud.moto).await?.is_empty())).await?;
        cloud.daemon.kill()?;
        cloud.daemon.start_again().await?;
        cloud.until("the cluster is ready", async || cloud.phase_is("ready").await).await?;
        ensure!(instances(&cloud.moto).await?.len() == 2, "{:#?}", instances(&cloud.moto).await?);
        cloud.serves().await?;

        let _: OperationInfo = cloud.cli().json(&["cluster", "delete", "demo"]).await?;
        cloud.until("an instance has ended", async || Ok(instances(&cloud.moto).await?.len() < 2)).await?;
        cloud.daemon.kill()?;
        cloud.daemon.start_again().await?;
        cloud.until("the cluster is gone", async || Ok(!cloud.cluster_is_known().await?)).await?;
        ensure!(everything(&cloud.moto).await? == before, "something is left");
        cloud.no_containers_are_left().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_of_ec2_that_somebody_terminates_is_made_again() -> Result<()> {
    with_cloud("a_machine_of_ec2_that_somebody_terminates_is_made_again", async |cloud| {
        let create = [&CREATE[..], &["--workers", "1", "--wait"]].concat();
        let _: OperationInfo = cloud.cli().json(&create).await?;
        let all = instances(&cloud.moto).await?;
        let worker = all.iter().find(|one| one.tags.get("io.muster.key").is_some_and(|key| key == "machine/worker-1"));
        let lost = worker.context("there is no worker")?.id.clone();
        cloud.moto.call(&[("Action", "TerminateInstances"), ("InstanceId.1", &lost)]).await?;
        cloud
            .until("another worker is there", async || {
                Ok(instances(&cloud.moto).await?.iter().filter(|one| one.id != lost).count() == 2)
            })
            .await?;
        cloud.until("the cluster is ready", async || cloud.phase_is("ready").await).await?;
        let _: OperationInfo = cloud.cli().json(&["cluster", "delete", "demo", "--wait"]).await?;
        ensure!(instances(&cloud.moto).await?.is_empty(), "instances are left");
        Ok(())
    })
    .await
}

/// Between two looks.
const POLL: Duration = Duration::from_millis(250);
