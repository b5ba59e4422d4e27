//! Machines that go away by themselves, and nodes that others' hands change. Muster is not told; it has to see it and to
//! mend it.
//!
//! Covers: getOrchestratorInfo, createOrchestratorService, getContainerServiceInfo, getHostInfoById.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use muster_protocol::model::cluster::{ClusterInfo, ClusterPhase, Tally};
use muster_protocol::model::event::{Event, EventKind};
use muster_protocol::model::host::{HostInfo, HostPhase};
use muster_protocol::model::operation::OperationInfo;
use muster_protocol::model::service::ServiceInfo;
use muster_tests::images::docker::docker;

use crate::lab::{LIMIT, Lab, with_lab};

/// Seen to be lost (listings of the engine count from ten seconds after a creation), taken out, made anew, joined.
const REPAIR_LIMIT: Duration = Duration::from_secs(600);

/// Removes a machine behind Muster's back and waits until there is another one in its place.
async fn lose(lab: &Lab, cluster: &str, machine: &str) -> Result<()> {
    let cursor = lab.cursor().await?;
    let before = lab.host(cluster, machine).await?;
    docker(&["rm", "-fv", before.provider_id.as_deref().context("the machine is not there")?]).await?;
    let began = Instant::now();
    let lost = format!("machine {machine} is lost");
    lab.cli().events_until(cursor, LIMIT, |event| event.kind == EventKind::Host && event.message == lost).await?;
    // The event is told before the host's info says the same, so the same phase may still be that of the lost machine.
    let is_another = |host: &HostInfo| host.provider_id.is_some() && host.provider_id != before.provider_id;
    let is_replaced = |host: &HostInfo| is_another(host) && host.phase == HostPhase::Ready;
    let after = lab.cli().until(&["host", "info", &before.id.to_string()], REPAIR_LIMIT, is_replaced).await?;
    println!("{machine} was lost and is repaired after {:.1} s", began.elapsed().as_secs_f32());
    assert_ne!(after.node_id, before.node_id, "it joined as a new node");
    becomes_ready(lab, cluster).await
}

async fn becomes_ready(lab: &Lab, cluster: &str) -> Result<()> {
    let is_ready = |info: &ClusterInfo| info.summary.phase == ClusterPhase::Ready;
    lab.cli().until(&["cluster", "info", cluster], REPAIR_LIMIT, is_ready).await?;
    Ok(())
}

/// Changes a machine's node at the first control plane, behind Muster's back, and waits until Muster made it join again.
async fn change_by_hand(lab: &Lab, cluster: &str, machine: &str, command: &[&str]) -> Result<()> {
    let cursor = lab.cursor().await?;
    let before = lab.host(cluster, machine).await?;
    let node = before.node_id.clone().context("the machine is no node")?;
    // Swarm refuses it if the node has changed by itself since it was read ("update out of sequence").
    lab.on_machine_until(cluster, "control-plane-1", &[command, &[&node]].concat(), |_| true).await?;
    let joined = format!("join node/{machine}");
    let is_it = |event: &Event| event.kind == EventKind::StepDone && event.message == joined;
    lab.cli().events_until(cursor, LIMIT, is_it).await?;
    becomes_ready(lab, cluster).await?;
    let is_ready = |host: &HostInfo| host.phase == HostPhase::Ready;
    let after = lab.cli().until(&["host", "info", &before.id.to_string()], REPAIR_LIMIT, is_ready).await?;
    assert_eq!(after.provider_id, before.provider_id, "the machine is the same");
    Ok(())
}

/// Somebody has a reason for it, so Muster says so, leaves it and waits for nothing.
async fn a_drained_node_is_named_and_left_drained(lab: &Lab, cluster: &str, machine: &str) -> Result<()> {
    let node = lab.host(cluster, machine).await?.node_id.context("the machine is no node")?;
    let update = async |availability: &str| {
        let command = ["docker", "node", "update", "--availability", availability, &node];
        lab.on_machine_until(cluster, "control-plane-1", &command, |_| true).await
    };
    update("drain").await?;
    let says_so = |info: &ClusterInfo| {
        let is_said = info.causes.iter().any(|cause| cause.message.contains("its availability is drain"));
        is_said && info.summary.phase == ClusterPhase::Ready
    };
    lab.cli().until(&["cluster", "info", cluster], LIMIT, says_so).await?;
    update("active").await?;
    let is_well = |info: &ClusterInfo| info.summary.phase == ClusterPhase::Ready && info.causes.is_empty();
    lab.cli().until(&["cluster", "info", cluster], LIMIT, is_well).await?;
    Ok(())
}

const WORKER: &str = "Ready";
const LEADER: &str = "Ready Leader";
const FOLLOWER: &str = "Ready Reachable";

/// Waits until the manager on this machine lists these nodes and no others: none is left of a machine that was lost.
async fn nodes_become(lab: &Lab, cluster: &str, machine: &str, wanted: &[&str]) -> Result<()> {
    let list = ["docker", "node", "ls", "--format", "{{.Status}} {{.ManagerStatus}}"];
    let are_as_wanted = |listed: &str| {
        let mut nodes: Vec<&str> = listed.lines().map(str::trim).collect();
        nodes.sort_unstable();
        nodes == wanted
    };
    lab.on_machine_until(cluster, machine, &list, are_as_wanted).await?;
    Ok(())
}

#[tokio::test]
async fn a_demoted_control_plane_is_promoted_again_and_a_lost_one_is_replaced() -> Result<()> {
    with_lab("a_demoted_control_plane_is_promoted_again_and_a_lost_one_is_replaced", &["busybox:1.36"], async |lab| {
        lab.create("trio", 3, 0).await?;
        nodes_become(lab, "trio", "control-plane-1", &[LEADER, FOLLOWER, FOLLOWER]).await?;
        let hello = ["--template", "hello", "--set", "replicas=1", "--wait"];
        let _: OperationInfo =
            lab.cli().json(&[&["service", "create", "--cluster", "trio"][..], &hello].concat()).await?;
        change_by_hand(lab, "trio", "control-plane-2", &["docker", "node", "demote"]).await?;
        nodes_become(lab, "trio", "control-plane-1", &[LEADER, FOLLOWER, FOLLOWER]).await?;
        // The one on which the cluster was formed, which led it from then on.
        lose(lab, "trio", "control-plane-1").await?;
        nodes_become(lab, "trio", "control-plane-2", &[LEADER, FOLLOWER, FOLLOWER]).await?;
        let is_whole = |info: &ClusterInfo| info.summary.control_planes == Tally { ready: 3, wanted: 3 };
        lab.cli().until(&["cluster", "info", "trio"], LIMIT, is_whole).await?;
        let well = |info: &ServiceInfo| info.ready == 1;
        lab.cli().until(&["service", "info", "hello", "--cluster", "trio"], LIMIT, well).await?;
        lab.fetch("trio", "hello", "/", |status, _| status == 200).await?;
        lab.delete("trio").await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_worker_that_was_struck_off_or_lost_or_stopped_comes_back() -> Result<()> {
    with_lab("a_worker_that_was_struck_off_or_lost_or_stopped_comes_back", &["busybox:1.36"], async |lab| {
        lab.create("duo", 1, 1).await?;
        change_by_hand(lab, "duo", "worker-1", &["docker", "node", "rm", "--force"]).await?;
        nodes_become(lab, "duo", "control-plane-1", &[WORKER, LEADER]).await?;
        a_drained_node_is_named_and_left_drained(lab, "duo", "worker-1").await?;
        lose(lab, "duo", "worker-1").await?;
        nodes_become(lab, "duo", "control-plane-1", &[WORKER, LEADER]).await?;

        let (cursor, before) = (lab.cursor().await?, lab.host("duo", "worker-1").await?);
        docker(&["kill", before.provider_id.as_deref().context("the machine is not there")?]).await?;
        let started = "start machine/worker-1";
        let is_it = |event: &Event| event.kind == EventKind::StepDone && event.message == started;
        lab.cli().events_until(cursor, LIMIT, is_it).await?;
        let is_ready = |host: &HostInfo| host.phase == HostPhase::Ready && host.cause.is_none();
        lab.cli().until(&["host", "info", &before.id.to_string()], REPAIR_LIMIT, is_ready).await?;
        nodes_become(lab, "duo", "control-plane-1", &[WORKER, LEADER]).await?;
        let after = lab.host("duo", "worker-1").await?;
        assert_eq!((after.provider_id, after.node_id), (before.provider_id, before.node_id), "it is the same machine");
        lab.delete("duo").await?;
        Ok(())
    })
    .await
}

/// What somebody does to a worker, by hand, at the machine or at the engine that it runs on.
async fn meddle(lab: &Lab, worker: &HostInfo, network: &str, what: Meddling) -> Result<()> {
    let id = worker.provider_id.as_deref().context("the machine is not there")?;
    let node = worker.node_id.as_deref().context("the machine is no node")?;
    match what {
        Meddling::StruckOffWhileDown => {
            docker(&["kill", id]).await?;
            let strike_off = ["docker", "node", "rm", "--force", node];
            lab.on_machine_until(MEDDLED, "control-plane-1", &strike_off, |_| true).await?;
        }
        Meddling::CutOff => {
            docker(&["network", "disconnect", network, id]).await?;
        }
        Meddling::EngineStopped => {
            lab.on_machine(MEDDLED, "worker-1", &["systemctl", "stop", "docker.socket", "docker.service"]).await?;
        }
    }
    Ok(())
}

#[derive(Clone, Copy, Debug)]
enum Meddling {
    StruckOffWhileDown,
    CutOff,
    EngineStopped,
}

const MEDDLED: &str = "meddled";

#[tokio::test]
async fn a_worker_that_was_cut_off_or_struck_off_while_down_or_lost_its_engine_comes_back() -> Result<()> {
    with_lab("a_worker_that_was_cut_off_or_struck_off_while_down_or_lost_its_engine_comes_back", &[], async |lab| {
        lab.create(MEDDLED, 1, 1).await?;
        let format = ["--format", "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}}{{end}}"];
        let worker = lab.host(MEDDLED, "worker-1").await?;
        let id = worker.provider_id.clone().context("the machine is not there")?;
        let network = docker(&[&["inspect", &id][..], &format].concat()).await?;
        for what in [Meddling::StruckOffWhileDown, Meddling::CutOff, Meddling::EngineStopped] {
            let (cursor, before) = (lab.cursor().await?, lab.host(MEDDLED, "worker-1").await?);
            let began = Instant::now();
            meddle(lab, &before, &network, what).await?;
            let mended = match what {
                Meddling::StruckOffWhileDown => "join node/worker-1",
                Meddling::CutOff => "start machine/worker-1",
                Meddling::EngineStopped => "prepare machine/worker-1",
            };
            let is_it = |event: &Event| event.kind == EventKind::StepDone && event.message == mended;
            lab.cli().events_until(cursor, LIMIT, is_it).await.with_context(|| format!("{what:?}"))?;
            let is_ready = |host: &HostInfo| host.phase == HostPhase::Ready && host.cause.is_none();
            lab.cli().until(&["host", "info", &before.id.to_string()], REPAIR_LIMIT, is_ready).await?;
            becomes_ready(lab, MEDDLED).await?;
            nodes_become(lab, MEDDLED, "control-plane-1", &[WORKER, LEADER]).await?;
            println!("{what:?} is mended after {:.1} s", began.elapsed().as_secs_f32());
        }
        one_that_joined_others_is_named_and_left_alone(lab).await?;
        lab.delete(MEDDLED).await?;
        Ok(())
    })
    .await
}

/// Somebody may need the other swarm: it is their decision.
async fn one_that_joined_others_is_named_and_left_alone(lab: &Lab) -> Result<()> {
    let on_worker = async |command: &[&str]| lab.on_machine(MEDDLED, "worker-1", command).await;
    on_worker(&["docker", "swarm", "leave"]).await?;
    on_worker(&["docker", "swarm", "init", "--advertise-addr", "127.0.0.1"]).await?;
    let says_so = |info: &ClusterInfo| {
        let mut remedies = info.causes.iter().filter_map(|cause| cause.remedy.as_deref());
        remedies.any(|remedy| remedy.contains("docker swarm leave --force"))
    };
    lab.cli().until(&["cluster", "info", MEDDLED], LIMIT, says_so).await?;
    on_worker(&["docker", "swarm", "leave", "--force"]).await?;
    let _: OperationInfo = lab.cli().json(&["cluster", "retry", MEDDLED, "--wait"]).await?;
    becomes_ready(lab, MEDDLED).await?;
    nodes_become(lab, MEDDLED, "control-plane-1", &[WORKER, LEADER]).await
}
