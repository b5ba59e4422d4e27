//! The whole way on hosts that somebody has, by the command line.

mod kubernetes;
mod recover;
mod refusals;
mod silence;
mod site;

use std::time::Instant;

use anyhow::{Result, ensure};
use muster_protocol::model::operation::{OperationInfo, OperationPhase};
use muster_tests::machine_container::{MACHINE_IMAGE, PLAIN_IMAGE};
use muster_tests_hosts::inventory::{differences, inventory};

use crate::site::at_a_site;

const CREATE: [&str; 9] =
    ["cluster", "create", "demo", "--orchestrator", "swarm", "--infrastructure", "hosts", "--account", "lab"];

#[tokio::test(flavor = "multi_thread")]
async fn a_swarm_on_hosts_serves_and_leaves_them_as_they_were_found() -> Result<()> {
    at_a_site("a_swarm_on_hosts_serves_and_leaves_them_as_they_were_found", async |site| {
        // One has nothing installed and serves its owner, the other has an engine that nobody uses.
        let plain = site.lab.boot("web-1", PLAIN_IMAGE).await?;
        let engine = site.lab.boot("web-2", MACHINE_IMAGE).await?;
        plain.use_for_something_else().await?;
        engine.give_its_engine_something().await?;
        site.add_account(&[&plain, &engine]).await?;
        for host in [&plain, &engine] {
            let finding = site.finding(&host.name).await?;
            ensure!(finding.ok && finding.message.contains("free"), "{finding:#?}");
        }
        let before = [inventory(&plain).await?, inventory(&engine).await?];

        let began = Instant::now();
        let create = [&CREATE[..], &["--workers", "1", "--wait"]].concat();
        let created: OperationInfo = site.cli().json(&create).await?;
        ensure!(created.phase == OperationPhase::Succeeded, "{created:#?}");
        println!("2 hosts claimed and prepared: ready after {:.1} s", began.elapsed().as_secs_f32());
        site.demo.serves_at(8081).await?;
        ensure!(plain.still_serves_its_owner().await?, "what was there before does not serve any more");

        let began = Instant::now();
        let deleted: OperationInfo = site.cli().json(&["cluster", "delete", "demo", "--wait"]).await?;
        ensure!(deleted.phase == OperationPhase::Succeeded, "{deleted:#?}");
        println!("2 hosts left after {:.1} s", began.elapsed().as_secs_f32());
        for (host, before) in [&plain, &engine].into_iter().zip(&before) {
            let left = differences(before, &inventory(host).await?);
            ensure!(left.is_empty(), "{} is not as it was found:\n{}", host.name, left.join("\n"));
            println!("{}: {} things compared", host.name, before.len());
        }
        ensure!(plain.still_serves_its_owner().await?, "what was there before does not serve any more");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_killed_while_it_claims_and_leaves_hosts_claims_and_leaves_each_once() -> Result<()> {
    at_a_site("a_daemon_killed_while_it_claims_and_leaves_hosts_claims_and_leaves_each_once", async |site| {
        let mut hosts = Vec::new();
        for name in ["web-1", "web-2", "web-3"] {
            hosts.push(site.lab.boot(name, MACHINE_IMAGE).await?);
        }
        site.add_account(&hosts.iter().collect::<Vec<_>>()).await?;
        let mut before = Vec::new();
        for host in &hosts {
            before.push(inventory(host).await?);
        }
        let claimed = async || -> Result<usize> {
            let mut count = 0;
            for host in &hosts {
                let there = host.sh("test -e /var/lib/muster/claim.json && echo yes || echo no").await?;
                count += usize::from(there == "yes");
            }
            Ok(count)
        };

        let _: OperationInfo = site.cli().json(&[&CREATE[..], &["--workers", "1"]].concat()).await?;
        // As soon as the first claim is there, its answer may or may not have come.
        site.demo.until("a host is claimed", async || Ok(claimed().await? > 0)).await?;
        site.daemon.kill()?;
        site.daemon.start_again().await?;
        site.demo.until("the cluster is ready", async || site.demo.phase_is("ready").await).await?;
        ensure!(claimed().await? == 2, "{} hosts are claimed", claimed().await?);
        site.demo.serves_at(8081).await?;

        let _: OperationInfo = site.cli().json(&["cluster", "delete", "demo"]).await?;
        site.demo.until("a host is left", async || Ok(claimed().await? < 2)).await?;
        site.daemon.kill()?;
        site.daemon.start_again().await?;
        site.demo.until("the cluster is gone", async || Ok(!site.demo.is_known().await?)).await?;
        for (host, before) in hosts.iter().zip(&before) {
            let left = differences(before, &inventory(host).await?);
            ensure!(left.is_empty(), "{} is not as it was found:\n{}", host.name, left.join("\n"));
        }
        Ok(())
    })
    .await
}
