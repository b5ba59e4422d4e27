//! The whole way on EC2, by the command line: moto is the API, and a machine container stands for each instance.

mod kubernetes;
mod site;

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use muster_protocol::model::account::AccountCheck;
use muster_protocol::model::operation::{OperationInfo, OperationPhase};
use muster_tests::ec2::account::{Instance, everything, give_tags, instances, take_tags};

use crate::site::with_cloud;

const CREATE: [&str; 9] =
    ["cluster", "create", "demo", "--orchestrator", "swarm", "--infrastructure", "ec2", "--account", "cloud"];

#[tokio::test(flavor = "multi_thread")]
async fn a_swarm_on_ec2_serves_and_goes_without_a_trace() -> Result<()> {
    with_cloud("a_swarm_on_ec2_serves_and_goes_without_a_trace", async |site| {
        let check: AccountCheck = site.cli().json(&["account", "check", "cloud"]).await?;
        ensure!(check.findings.iter().all(|finding| finding.ok), "{check:#?}");
        let before = everything(&site.cloud.moto).await?;
        let _ = site.cloud.proxy.take_calls();
        let began = Instant::now();
        let create = [&CREATE[..], &["--workers", "1", "--wait"]].concat();
        let created: OperationInfo = site.cli().json(&create).await?;
        ensure!(created.phase == OperationPhase::Succeeded, "{created:#?}");
        let calls: u32 = site.cloud.proxy.take_calls().values().sum();
        println!("2 machines and their network: ready after {:.1} s, {calls} calls", began.elapsed().as_secs_f32());
        site.demo.serves_at(8080).await?;

        let deleted: OperationInfo = site.cli().json(&["cluster", "delete", "demo", "--wait"]).await?;
        ensure!(deleted.phase == OperationPhase::Succeeded, "{deleted:#?}");
        ensure!(everything(&site.cloud.moto).await? == before, "something is left");
        site.no_containers_are_left().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_killed_while_it_makes_and_removes_a_cluster_on_ec2_makes_and_removes_it_once() -> Result<()> {
    with_cloud("a_daemon_killed_while_it_makes_and_removes_a_cluster_on_ec2_makes_and_removes_it_once", async |site| {
        let before = everything(&site.cloud.moto).await?;
        let _: OperationInfo = site.cli().json(&[&CREATE[..], &["--workers", "1"]].concat()).await?;
        // As soon as the first instance is there, its answer may or may not have come.
        site.demo.until("an instance is there", async || Ok(!instances(&site.cloud.moto).await?.is_empty())).await?;
        site.daemon.kill()?;
        site.daemon.start_again().await?;
        site.demo.until("the cluster is ready", async || site.demo.phase_is("ready").await).await?;
        ensure!(instances(&site.cloud.moto).await?.len() == 2, "{:#?}", instances(&site.cloud.moto).await?);
        site.demo.serves_at(8080).await?;

        let _: OperationInfo = site.cli().json(&["cluster", "delete", "demo"]).await?;
        site.demo.until("an instance has ended", async || Ok(instances(&site.cloud.moto).await?.len() < 2)).await?;
        site.daemon.kill()?;
        site.daemon.start_again().await?;
        site.demo.until("the cluster is gone", async || Ok(!site.demo.is_known().await?)).await?;
        ensure!(everything(&site.cloud.moto).await? == before, "something is left");
        site.no_containers_are_left().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_of_ec2_that_somebody_terminates_is_made_again() -> Result<()> {
    with_cloud("a_machine_of_ec2_that_somebody_terminates_is_made_again", async |site| {
        let create = [&CREATE[..], &["--workers", "1", "--wait"]].concat();
        let _: OperationInfo = site.cli().json(&create).await?;
        let all = instances(&site.cloud.moto).await?;
        let worker = all.iter().find(|one| one.tags.get("io.muster.key").is_some_and(|key| key == "machine/worker-1"));
        let lost = worker.context("there is no worker")?.id.clone();
        site.cloud.terminate(&lost).await?;
        site.demo
            .until("another worker is there", async || {
                Ok(instances(&site.cloud.moto).await?.iter().filter(|one| one.id != lost).count() == 2)
            })
            .await?;
        site.demo.until("the cluster is ready", async || site.demo.phase_is("ready").await).await?;
        let _: OperationInfo = site.cli().json(&["cluster", "delete", "demo", "--wait"]).await?;
        ensure!(instances(&site.cloud.moto).await?.is_empty(), "instances are left");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_of_ec2_whose_tags_somebody_takes_away_works_on_and_goes_when_it_has_them_again() -> Result<()> {
    with_cloud(
        "a_machine_of_ec2_whose_tags_somebody_takes_away_works_on_and_goes_when_it_has_them_again",
        async |site| {
            let (moto, before) = (&site.cloud.moto, everything(&site.cloud.moto).await?);
            let _: OperationInfo = site.cli().json(&[&CREATE[..], &["--workers", "1", "--wait"]].concat()).await?;
            let made = instances(moto).await?;
            let worker =
                made.iter().find(|one| one.tags.get("io.muster.key").is_some_and(|key| key == "machine/worker-1"));
            let worker = worker.context("there is no worker")?;
            take_tags(moto, &worker.id, &worker.tags).await?;
            let says = async |line: &[&str], text: &str| Ok(site.cli().run(line).await?.stdout.contains(text));
            let told = "machine worker-1 is there, but its infrastructure does not list it among ours";
            site.demo.until("it is told", async || says(&["events"], told).await).await?;
            site.demo.until("the cluster is ready", async || site.demo.phase_is("ready").await).await?;
            site.demo.serves_at(8080).await?;
            let ids = |all: &[Instance]| all.iter().map(|one| one.id.clone()).collect::<BTreeSet<_>>();
            ensure!(ids(&instances(moto).await?) == ids(&made), "another machine was made");

            let _: OperationInfo = site.cli().json(&["cluster", "delete", "demo"]).await?;
            let waits = format!("instance {} is there without the tags that say whose it is", worker.id);
            site.demo
                .until("it is said why it stays", async || says(&["cluster", "info", "demo"], &waits).await)
                .await?;
            ensure!(ids(&instances(moto).await?).contains(&worker.id), "it was removed");
            give_tags(moto, &worker.id, &worker.tags).await?;
            site.demo.until("the cluster is gone", async || Ok(!site.demo.is_known().await?)).await?;
            ensure!(everything(moto).await? == before, "something is left");
            site.no_containers_are_left().await
        },
    )
    .await
}
