//! Kubernetes on EC2 behind a network load balancer: its machines reach the control planes by nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use muster_protocol::model::cluster::ClusterInfo;
use muster_protocol::model::operation::{OperationInfo, OperationPhase};
use muster_protocol::model::service::ServiceInfo;
use muster_tests::ec2::account::{balancers, everything, instances};
use muster_tests::images::docker::docker;
use muster_tests::images::http;

use crate::site::{Site, with_kubernetes};

const CREATE: [&str; 9] =
    ["cluster", "create", "demo", "--orchestrator", "kubernetes", "--infrastructure", "ec2", "--account", "cloud"];
const WISHES: [&str; 4] = ["--option", "controlPlaneEndpoint=network-load-balancer", "--workers", "1"];
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
        let created: OperationInfo = site.cli().json(&[&CREATE[..], &WISHES, &["--wait"]].concat()).await?;
        ensure!(created.phase == OperationPhase::Succeeded, "{created:#?}");
        println!("2 machines behind a load balancer: ready after {:.1} s", began.elapsed().as_secs_f32());

        let balancers = balancers(&site.cloud.moto).await?;
        let balancer = balancers.first().context("there is no load balancer")?;
        let control_plane = instance(site, "machine/control-plane-1").await?;
        let led_to = BTreeMap::from([(6443, BTreeSet::from([control_plane.1.clone()]))]);
        ensure!(balancer.targets == led_to, "{balancer:#?}");
        // The kubelet of a control plane asks its own API server, as kubeadm has it; everybody else goes through the balancer.
        let machines = [
            Machine { container: control_plane.0, kubeconfig: "/etc/kubernetes/admin.conf" },
            Machine {
                container: instance(site, "machine/worker-1").await?.0,
                kubeconfig: "/etc/kubernetes/kubelet.conf",
            },
        ];
        for machine in &machines {
            let kubeconfig = docker(&["exec", &machine.container, "cat", machine.kubeconfig]).await?;
            let server = kubeconfig.lines().find(|line| line.contains("server: ")).map(str::trim);
            ensure!(server == Some(format!("server: https://{}:6443", balancer.dns_name).as_str()), "{server:?}");
            let own = ["exec", &machine.container, "systemctl", "is-active", "muster-balancer.service"];
            ensure!(docker(&own).await.is_err(), "the machine has a balancer of its own");
            // A control plane reaches itself through the balancer too.
            ensure!(machine.is_served().await, "the control plane is not reached through the load balancer");
        }
        // It is the only way: without it nobody reaches anything, and with it everybody does again.
        let container = site.cloud.balancer().await?;
        docker(&["pause", &container]).await?;
        let cut_off = !machines[0].is_served().await && !machines[1].is_served().await;
        docker(&["unpause", &container]).await?;
        ensure!(cut_off, "the machines reach the control plane without the load balancer");
        for machine in &machines {
            site.demo.until("the control plane is reached again", async || Ok(machine.is_served().await)).await?;
        }
        let info: ClusterInfo = site.cli().json(&["cluster", "info", "demo"]).await?;
        ensure!(info.endpoints.last() == Some(&format!("{}:6443", balancer.dns_name)), "{:?}", info.endpoints);

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

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_killed_while_it_makes_and_removes_a_load_balancer_makes_and_removes_it_once() -> Result<()> {
    let name = "a_daemon_killed_while_it_makes_and_removes_a_load_balancer_makes_and_removes_it_once";
    with_kubernetes(name, async |site, _| {
        let before = everything(&site.cloud.moto).await?;
        let _: OperationInfo = site.cli().json(&[&CREATE[..], &WISHES].concat()).await?;
        // Its answer may or may not have come; its listener and its targets are still to be made.
        let is_there = async || Ok(!balancers(&site.cloud.moto).await?.is_empty());
        site.demo.until("a load balancer is there", is_there).await?;
        site.daemon.kill()?;
        site.daemon.start_again().await?;
        site.demo.until("the cluster is ready", async || site.demo.phase_is("ready").await).await?;
        let made = balancers(&site.cloud.moto).await?;
        ensure!(made.len() == 1 && made[0].targets.get(&6443).is_some_and(|led_to| led_to.len() == 1), "{made:#?}");
        ensure!(instances(&site.cloud.moto).await?.len() == 2, "{:#?}", instances(&site.cloud.moto).await?);

        let _: OperationInfo = site.cli().json(&["cluster", "delete", "demo"]).await?;
        let is_gone = async || Ok(balancers(&site.cloud.moto).await?.is_empty());
        site.demo.until("the load balancer is gone", is_gone).await?;
        site.daemon.kill()?;
        site.daemon.start_again().await?;
        site.demo.until("the cluster is gone", async || Ok(!site.demo.is_known().await?)).await?;
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

/// The container of a machine, and what on it reaches the control planes through the balancer.
struct Machine {
    container: String,
    kubeconfig: &'static str,
}

impl Machine {
    /// Whether it would be answered at the address that it has.
    async fn is_served(&self) -> bool {
        let kubectl = ["kubectl", "--kubeconfig", self.kubeconfig, "--request-timeout=5s", "get", "--raw", "/readyz"];
        docker(&[&["exec", self.container.as_str()], &kubectl[..]].concat()).await.is_ok()
    }
}

async fn answers(site: &Site) -> Result<bool> {
    let info: ServiceInfo = site.cli().json(&["service", "info", "web", "--cluster", "demo"]).await?;
    let Some(endpoint) = info.endpoints.first() else { return Ok(false) };
    let answer = http::get(&format!("{}:{}", endpoint.address, endpoint.published), "/").await;
    Ok(answer.is_ok_and(|(status, body)| status == 200 && body.starts_with("Good day")))
}
