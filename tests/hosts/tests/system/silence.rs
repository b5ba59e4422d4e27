//! Hosts that do not answer for a while.

use anyhow::{Context, Result, ensure};
use muster_protocol::model::operation::{OperationInfo, OperationPhase};
use muster_tests::images::docker::docker;
use muster_tests::machine_container::MACHINE_IMAGE;

use crate::CREATE;
use crate::site::at_a_site;

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_host_is_named_and_not_lost_and_goes_on_when_it_is_back() -> Result<()> {
    at_a_site("a_silent_host_is_named_and_not_lost_and_goes_on_when_it_is_back", async |site| {
        let mut hosts = Vec::new();
        for name in ["web-1", "web-2", "web-3"] {
            hosts.push(site.lab.boot(name, MACHINE_IMAGE).await?);
        }
        site.add_account(&hosts.iter().collect::<Vec<_>>()).await?;
        let created: OperationInfo = site.cli().json(&[&CREATE[..], &["--workers", "1", "--wait"]].concat()).await?;
        ensure!(created.phase == OperationPhase::Succeeded, "{created:#?}");
        let claims = async || -> Result<Vec<String>> {
            let mut claims = Vec::new();
            for host in &hosts {
                claims.push(host.sh("cat /var/lib/muster/claim.json 2>/dev/null || echo none").await?);
            }
            Ok(claims)
        };
        let before = claims().await?;
        let worker = before.iter().position(|claim| claim.contains("machine/worker-1")).context("no worker")?;
        let worker = &hosts[worker];

        docker(&["pause", &worker.container]).await?;
        let named = format!("host `{}`", worker.name);
        let silent = site
            .demo
            .until("the silent host is named", async || {
                Ok(site.cli().run(&["cluster", "info", "demo"]).await?.stdout.contains(&named))
            })
            .await;
        // A paused container cannot be removed by everybody.
        docker(&["unpause", &worker.container]).await?;
        silent?;
        site.demo.until("the cluster is ready", async || site.demo.phase_is("ready").await).await?;
        ensure!(claims().await? == before, "the claims are others: {:#?}", claims().await?);
        site.demo.serves_at(8081).await?;
        let deleted: OperationInfo = site.cli().json(&["cluster", "delete", "demo", "--wait"]).await?;
        ensure!(deleted.phase == OperationPhase::Succeeded, "{deleted:#?}");
        ensure!(claims().await?.iter().all(|claim| claim == "none"), "{:#?}", claims().await?);
        Ok(())
    })
    .await
}
