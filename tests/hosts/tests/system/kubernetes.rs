//! The whole way with Kubernetes.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use muster_protocol::model::operation::{OperationInfo, OperationPhase};
use muster_tests::images::http;
use muster_tests::machine_container::PLAIN_IMAGE;
use muster_tests_hosts::inventory::{differences, inventory};

use crate::site::with_kubernetes;

const WEB: &str = r#"
name: web
image: {registry}/library/busybox:1.36
command: [sh, -c, "mkdir -p /www && echo Good day > /www/index.html && exec httpd -f -p 8080 -h /www"]
ports:
  - {port: 8080, published: 30080, exposure: ingress}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_kubernetes_on_hosts_serves_and_leaves_them_as_they_were_found() -> Result<()> {
    with_kubernetes("a_kubernetes_on_hosts_serves_and_leaves_them_as_they_were_found", async |site, places| {
        let hosts = [site.lab.boot("web-1", PLAIN_IMAGE).await?, site.lab.boot("web-2", PLAIN_IMAGE).await?];
        hosts[0].use_for_something_else().await?;
        site.add_account(&[&hosts[0], &hosts[1]]).await?;
        let before = [inventory(&hosts[0]).await?, inventory(&hosts[1]).await?];

        let version = places.versions.last().context("no version of Kubernetes is there")?;
        let kinds = ["--orchestrator", "kubernetes", "--infrastructure", "hosts", "--account", "lab"];
        let create =
            [&["cluster", "create", "demo"][..], &kinds, &["--version", version, "--workers", "1", "--wait"]].concat();
        let began = Instant::now();
        let created: OperationInfo = site.cli().json(&create).await?;
        ensure!(created.phase == OperationPhase::Succeeded, "{created:#?}");
        println!("Kubernetes {version} on 2 hosts: ready after {:.1} s", began.elapsed().as_secs_f32());

        let file = site.daemon.folder().join("web.yaml");
        std::fs::write(&file, WEB.replace("{registry}", &places.registry))?;
        let file = file.to_string_lossy().into_owned();
        let _: OperationInfo =
            site.cli().json(&["service", "create", "--cluster", "demo", "-f", &file, "--wait"]).await?;
        let address = format!("{}:30080", hosts[0].address);
        site.demo
            .until("the service answers", async || {
                Ok(http::get(&address, "/")
                    .await
                    .is_ok_and(|(status, body)| status == 200 && body.trim() == "Good day"))
            })
            .await?;
        ensure!(hosts[0].still_serves_its_owner().await?, "what was there before does not serve any more");

        let deleted: OperationInfo = site.cli().json(&["cluster", "delete", "demo", "--wait"]).await?;
        ensure!(deleted.phase == OperationPhase::Succeeded, "{deleted:#?}");
        for (host, before) in hosts.iter().zip(&before) {
            let left = differences(before, &inventory(host).await?);
            ensure!(left.is_empty(), "{} is not as it was found:\n{}", host.name, left.join("\n"));
            println!("{}: {} things compared", host.name, before.len());
        }
        ensure!(hosts[0].still_serves_its_owner().await?, "what was there before does not serve any more");
        Ok(())
    })
    .await
}
