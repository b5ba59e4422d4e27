//! The container that is a machine: every parameter, and why. Tried values are in `image/README.md`.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use bollard::models::{
    ContainerCreateBody, EndpointIpamConfig, EndpointSettings, HostConfig, HostConfigCgroupnsModeEnum, Mount,
    MountType, MountVolumeOptions, NetworkingConfig,
};
use muster_engine::context::ClusterContext;
use muster_engine::failure::Failure;
use muster_engine::ledger::ResourceKey;
use muster_protocol::model::cluster::MachineShape;
use muster_protocol::{ErrorCode, Name};

use crate::mark;

/// Nested engines keep layers here; overlay on overlay does not work, so each is a volume.
const VOLUMES: [&str; 4] = ["/var/lib/docker", "/var/lib/containerd", "/var/lib/kubelet", "/var/lib/etcd"];

/// The container for this machine.
pub(crate) fn container(
    cluster: &ClusterContext,
    machine: &Name,
    image: &str,
    shape: &MachineShape,
    address: Ipv4Addr,
    capabilities: &[&str],
) -> Result<ContainerCreateBody, Failure> {
    let owner = mark::labels(cluster, &ResourceKey::for_machine(machine.clone()));
    let mut labels = owner.clone();
    labels.insert(mark::ADDRESS.to_owned(), address.to_string());

    let endpoint = endpoint(machine, address);
    let network = mark::network_name(cluster);
    Ok(ContainerCreateBody {
        image: Some(image.to_owned()),
        hostname: Some(mark::host_name(cluster.name(), machine)),
        labels: Some(labels),
        // systemd's orderly shut-down; an imported image cannot say so itself.
        stop_signal: Some("SIGRTMIN+3".to_owned()),
        networking_config: Some(NetworkingConfig {
            endpoints_config: Some(HashMap::from([(network.clone(), endpoint)])),
        }),
        host_config: Some(host_config(network, owner, shape, capabilities)?),
        ..Default::default()
    })
}

/// The machine's place on the cluster's network.
pub(crate) fn endpoint(machine: &Name, address: Ipv4Addr) -> EndpointSettings {
    EndpointSettings {
        ipam_config: Some(EndpointIpamConfig { ipv4_address: Some(address.to_string()), ..Default::default() }),
        aliases: Some(vec![machine.to_string()]),
        ..Default::default()
    }
}

fn host_config(
    network: String,
    owner: HashMap<String, String>,
    shape: &MachineShape,
    capabilities: &[&str],
) -> Result<HostConfig, Failure> {
    let memory = shape.memory.map(|memory| amount("memory", Some(memory.0))).transpose()?;
    // One core is a thousand million nano-CPUs, so a thousandth of one is a million.
    let nano_cpus = shape.cpu.map(|cpu| amount("cpu", cpu.0.checked_mul(1_000_000))).transpose()?;
    Ok(HostConfig {
        network_mode: Some(network),
        memory,
        // Equal to memory: no swap on top of it, so that the limit means what it says.
        memory_swap: memory,
        nano_cpus,
        // Muster starts stopped machines itself, after it has looked at them.
        restart_policy: None,
        // Otherwise machines on cgroup v1 share the host's tree.
        cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
        cap_add: Some(capabilities.iter().map(|name| (*name).to_owned()).collect()),
        // Nested runtimes mount, unshare and write sysctls.
        security_opt: Some(vec!["seccomp=unconfined".to_owned(), "apparmor=unconfined".to_owned()]),
        masked_paths: Some(Vec::new()),
        readonly_paths: Some(Vec::new()),
        // Beside the engine's own rules, which nested containers get by with: the kernel's log, which a kubelet reads to
        // see that memory ran out. No machine reads or writes a disk of its host.
        device_cgroup_rules: Some(vec!["c 1:11 r".to_owned()]),
        tmpfs: Some(HashMap::from([
            ("/run".to_owned(), String::new()),
            ("/run/lock".to_owned(), String::new()),
            ("/tmp".to_owned(), "exec".to_owned()),
        ])),
        mounts: Some(VOLUMES.iter().map(|target| volume(target, owner.clone())).collect()),
        ..Default::default()
    })
}

/// A volume without a name: it goes with its container, and by its labels if the container is lost.
fn volume(target: &str, labels: HashMap<String, String>) -> Mount {
    Mount {
        typ: Some(MountType::VOLUME),
        target: Some(target.to_owned()),
        volume_options: Some(MountVolumeOptions { labels: Some(labels), ..Default::default() }),
        ..Default::default()
    }
}

fn amount(field: &str, value: Option<u64>) -> Result<i64, Failure> {
    value.and_then(|value| i64::try_from(value).ok()).ok_or_else(|| {
        Failure::not_applied(ErrorCode::InvalidArgument, format!("machine.{field} is too large")).permanent()
    })
}
