//! A daemon whose state directory is lost, with hosts claimed.

use anyhow::{Result, ensure};
use muster_protocol::model::operation::{OperationInfo, OperationPhase};
use muster_tests::machine_container::MACHINE_IMAGE;
use muster_tests_hosts::inventory::{differences, inventory};

use crate::CREATE;
use crate::site::at_a_site;

#[tokio::test(flavor = "multi_thread")]
async fn with_the_state_lost_claimed_hosts_get_new_keys_and_are_left_as_they_were_found() -> Result<()> {
    at_a_site("with_the_state_lost_claimed_hosts_get_new_keys_and_are_left_as_they_were_found", async |site| {
        let hosts = [site.lab.boot("web-1", MACHINE_IMAGE).await?, site.lab.boot("web-2", MACHINE_IMAGE).await?];
        let all: Vec<_> = hosts.iter().collect();
        site.add_account(&all).await?;
        let before = [inventory(&hosts[0]).await?, inventory(&hosts[1]).await?];
        let created: OperationInfo = site.cli().json(&[&CREATE[..], &["--workers", "1", "--wait"]].concat()).await?;
        ensure!(created.phase == OperationPhase::Succeeded, "{created:#?}");

        let instance = site.daemon.instance().to_owned();
        site.daemon.lose_state()?;
        // Another installation, until it is told which one it is: it needs the account to look there.
        site.daemon.start_again().await?;
        site.add_account(&all).await?;
        site.daemon.stop()?;
        let told = site.daemon.recover(&["--instance", &instance, "--yes"]).await?;
        ensure!(told.contains("machine/worker-1") && told.contains("becomes what it was"), "{told}");
        site.daemon.start_again().await?;
        ensure!(site.daemon.instance() == instance, "it is another installation");
        site.demo.until("the cluster is ready", async || site.demo.phase_is("ready").await).await?;
        site.demo.serves_at(8081).await?;

        let deleted: OperationInfo = site.cli().json(&["cluster", "delete", "demo", "--wait"]).await?;
        ensure!(deleted.phase == OperationPhase::Succeeded, "{deleted:#?}");
        for (host, before) in hosts.iter().zip(&before) {
            let left = differences(before, &inventory(host).await?);
            ensure!(left.is_empty(), "{} is not as it was found:\n{}", host.name, left.join("\n"));
        }
        Ok(())
    })
    .await
}
