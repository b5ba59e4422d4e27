//! Kubernetes on EC2 behind a network load balancer: its machines reach the control planes by nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use muster_protocol::model::operation::{OperationInfo, OperationPhase};
use muster_protocol::model::service::ServiceInfo;
use muster_tests::ec2::account::{balancers, everything, instances};
use muster_tests::http;
use muster_tests::images::docker::docker;

use crate::site::{Site, with_kubernetes};

const CREATE: [&str; 9] =
    ["cluster", "create", "demo", "--orchestrator", "kubernetes", "--infrastructure", "ec2", "--account", "cloud"];
const WEB: &str = r#"
name: web
image: {registry}/library/busybox:1.36
command: [sh, -c, "mkdir -p /www && echo 'Good day' > /www/index.html && exec httpd -f -p 8080 -h /www"]
ports:
  - {port: 8080, published: 30080, exposure: ingress}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_kubernetes_on_ec2_behind_a_network_load_balancer_serves_and_goes_without_a_trace() -> Result<()> {
    let name = "a_kubernetes_on_ec2_behind_a_network_load_balancer_serves_and_goes_without_a_trace";
    with_kubernetes(name, async |site, places| {
        let before = everything(&site.cloud.moto).await?;
        let began = Instant::now();
        let wishes = ["--option", "controlPlaneEndpoint=network-load-balancer", "--workers", "1", "--wait"];
        let created: OperationInfo = site.cli().json(&[&CREATE[..], &wishes].concat()).await?;
        ensure!(created.phase == OperationPhase::Succeeded, "{created:#?}");
        println!("2 machines behind a load balancer: ready after {:.1} s", began.elapsed().as_secs_f32());

        let balancers = balancers(&site.cloud.moto).await?;
        let balancer = balancers.first().context("there is no load balancer")?;
        let control_plane = instance(site, "machine/control-plane-1").await?;
        let led_to = BTreeMap::from([(6443, BTreeSet::from([control_plane.1.clone()]))]);
        ensure!(balancer.targets == led_to, "{balancer:#?}");
        let machines = [control_plane.0, instance(site, "machine/worker-1").await?.0];
        for machine in &machines {
            let kubelet = docker(&["exec", machine, "cat", "/etc/kubernetes/kubelet.conf"]).await?;
            ensure!(kubelet.contains(&format!("server: https://{}:6443", balancer.dns_name)), "{kubelet}");
            let own = docker(&["exec", machine, "systemctl", "is-active", "muster-balancer.service"]).await;
            ensure!(own.is_err(), "the machine has a balancer of its own");
            // The control plane reaches itself through the balancer too.
            ensure!(is_served(machine).await, "the control plane is not reached through the load balancer");
        }
        // It is the only way: without it nobody reaches anything, and with it everybody does again.
        let container = site.cloud.balancer().await?;
        docker(&["pause", &container]).await?;
        let cut_off = !is_served(&machines[0]).await && !is_served(&machines[1]).await;
        docker(&["unpause", &container]).await?;
        ensure!(cut_off, "the machines reach the control plane without the load balancer");
        for machine in &machines {
            site.demo.until("the control plane is reached again", async || Ok(is_served(machine).await)).await?;
        }

        let file = site.daemon.folder().join("web.yaml");
        std::fs::write(&file, WEB.replace("{registry}", &places.registry))?;
        let file = file.to_string_lossy().into_owned();
        let create = ["service", "create", "--cluster", "demo", "-f", &file, "--wait"];
        let _: OperationInfo = site.cli().json(&create).await?;
        site.demo.until("the service answers", async || answers(site).await).await?;

        let deleted: OperationInfo = site.cli().json(&["cluster", "delete", "demo", "--wait"]).await?;
        ensure!(deleted.phase == OperationPhase::Succeeded, "{deleted:#?}");
        ensure!(everything(&site.cloud.moto).await? == before, "something is left");
        site.no_containers_are_left().await
    })
    .await
}

/// The container and the private address of the instance with this key.
async fn instance(site: &Site, key: &str) -> Result<(String, String)> {
    let all = instances(&site.cloud.moto).await?;
    let found = all.into_iter().find(|one| one.tags.get("io.muster.key").is_some_and(|found| found == key));
    let found = found.with_context(|| format!("there is no {key}"))?;
    Ok((site.cloud.container_of(&found.id).await?, found.private_address))
}

/// Whether the machine's kubelet would be answered, at the address that it has.
async fn is_served(machine: &str) -> bool {
    let kubectl = ["kubectl", "--kubeconfig", "/etc/kubernetes/kubelet.conf", "--request-timeout=5s"];
    docker(&[&["exec", machine], &kubectl[..], &["get", "--raw", "/readyz"]].concat()).await.is_ok()
}

async fn answers(site: &Site) -> Result<bool> {
    let info: ServiceInfo = site.cli().json(&["service", "info", "web", "--cluster", "demo"]).await?;
    let Some(endpoint) = info.endpoints.first() else { return Ok(false) };
    let answer = http::get(&format!("{}:{}", endpoint.address, endpoint.published), "/").await;
    Ok(answer.is_ok_and(|(status, body)| status == 200 && body.starts_with("Good day")))
}
