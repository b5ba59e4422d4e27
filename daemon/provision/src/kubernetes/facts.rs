//! What a machine is like, and what follows from it: settings, or a refusal that says what to change.

use std::net::Ipv4Addr;

use muster_engine::failure::Failure;
use muster_protocol::{ErrorCode, Name};

use super::options::KubernetesOptions;

/// The number of `CAP_SYS_RESOURCE` (`capabilities(7)`).
const SYS_RESOURCE: u32 = 24;
/// kubeadm refuses control planes with less (its `NumCPU` and `Mem` checks: 1,700 MB).
const CONTROL_PLANE_MEMORY_KIB: u64 = 1_700 * 1000 * 1000 / 1024;

/// What `check.sh` has said.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Facts {
    pub gateway: Option<String>,
    /// The machine is a container, whose disk is shared with its host and other machines.
    pub is_container: bool,
    pub cgroup_v1: bool,
    pub lacks_sys_resource: bool,
    /// No container can be given all devices.
    pub limited_devices: bool,
    pub conntrack_limit_is_fixed: bool,
    pub overlay: bool,
    pub bridge_filter: bool,
    pub name_servers: Vec<String>,
    pub foreign: Vec<String>,
    pub memory_kib: u64,
}

impl Facts {
    pub(super) fn read(lines: &[String]) -> Self {
        let mut facts = Self::default();
        for line in lines {
            let Some((name, value)) = line.split_once('=') else { continue };
            match name {
                "gateway" => facts.gateway = Some(value.to_owned()).filter(|value| !value.is_empty()),
                "cgroup" => facts.cgroup_v1 = value == "1",
                "container" => facts.is_container = value == "yes",
                "bounding-set" => facts.lacks_sys_resource = !has_capability(value, SYS_RESOURCE),
                "devices" => facts.limited_devices = value == "limited",
                "conntrack-limit" => facts.conntrack_limit_is_fixed = value == "fixed",
                "overlay" => facts.overlay = value == "yes",
                "bridge-filter" => facts.bridge_filter = value == "yes",
                "name-server" => facts.name_servers.push(value.to_owned()),
                "foreign" => facts.foreign.push(value.to_owned()),
                "memory" => facts.memory_kib = value.parse().unwrap_or_default(),
                // The rest is for people who read the log.
                _ => {}
            }
        }
        facts
    }

    /// Why this machine cannot be a machine of a Kubernetes cluster.
    pub(super) fn refusal(&self, machine: &Name, control_plane: bool) -> Option<Failure> {
        let refuse = |message: String, remedy: &str| {
            Some(Failure::not_applied(ErrorCode::Preparation, message).permanent().with_remedy(remedy))
        };
        if let Some(foreign) = self.foreign.first() {
            return match foreign.as_str() {
                "no-apt" => refuse(
                    format!("{machine} has no apt to install packages with"),
                    "use machines with Debian or Ubuntu",
                ),
                "kubelet" => refuse(
                    format!("{machine} is a node of another Kubernetes cluster"),
                    "take it out of that cluster and run `kubeadm reset` on it, or give another host",
                ),
                program => refuse(
                    format!("{machine} has {program}, which runs containers or Kubernetes in its own way"),
                    "remove it from the machine, or give another host",
                ),
            };
        }
        if !self.overlay {
            let message =
                format!("the kernel of {machine} has no overlay file system, so containerd cannot run containers");
            return refuse(message, "load the module `overlay` (on the host, if the machine is a container)");
        }
        if !self.bridge_filter {
            let message = format!(
                "the kernel of {machine} does not show bridged packets to iptables, so services would not work"
            );
            return refuse(message, "load the module `br_netfilter` (on the host, if the machine is a container)");
        }
        if control_plane && self.memory_kib > 0 && self.memory_kib < CONTROL_PLANE_MEMORY_KIB {
            let message =
                format!("{machine} has {} MiB of memory, and a control plane needs 1,700 MB", self.memory_kib / 1024);
            return refuse(message, "give control planes at least 2 GiB");
        }
        None
    }

    /// Which name servers pods are given.
    pub(super) fn pod_name_servers(&self, options: &KubernetesOptions) -> NameServers {
        if !options.name_servers.is_empty() {
            return NameServers::Direct(options.name_servers.iter().map(Ipv4Addr::to_string).collect());
        }
        let (loopback, direct): (Vec<_>, Vec<_>) = self.name_servers.iter().partition(|server| is_loopback(server));
        let mut direct: Vec<String> = direct.into_iter().cloned().collect();
        // A pod's resolv.conf takes three.
        direct.truncate(3);
        match (direct.is_empty(), loopback.first()) {
            (false, _) => NameServers::Direct(direct),
            (true, Some(server)) => NameServers::Relayed((*server).clone()),
            (true, None) => NameServers::Direct(Vec::new()),
        }
    }
}

/// Why a machine with this address cannot be one of a cluster with these networks: what is sent to it would never leave a node.
pub(super) fn address_refusal(machine: &Name, address: &str, options: &KubernetesOptions) -> Option<Failure> {
    let address: Ipv4Addr = address.parse().ok()?;
    let networks = [("pods", "podSubnet", options.pod_subnet), ("services", "serviceSubnet", options.service_subnet)];
    let (whose, option, network) = networks.into_iter().find(|(_, _, network)| network.contains(address))?;
    let message = format!("{machine} has the address {address}, which is in the {whose}' network {network}");
    let remedy = format!("delete the cluster and make it again with another `{option}`");
    Some(Failure::not_applied(ErrorCode::Preparation, message).permanent().with_remedy(remedy))
}

/// How pods resolve names outside the cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum NameServers {
    /// They ask these.
    Direct(Vec<String>),
    /// The machine has a loopback name server only, which no pod reaches: the machine passes questions on to it.
    Relayed(String),
}

fn is_loopback(server: &str) -> bool {
    server.starts_with("127.") || server == "::1"
}

fn has_capability(bounding_set: &str, number: u32) -> bool {
    u64::from_str_radix(bounding_set, 16).is_ok_and(|bits| bits & (1 << number) != 0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn facts(text: &str) -> Facts {
        Facts::read(&text.lines().map(str::to_owned).collect::<Vec<_>>())
    }

    fn options(name_servers: &str) -> KubernetesOptions {
        let defaults = BTreeMap::from([("nameServers".to_owned(), name_servers.to_owned())]);
        KubernetesOptions::read(&crate::kubernetes::fixtures::spec(), &defaults).unwrap()
    }

    const GOOD: &str = "overlay=yes\nbridge-filter=yes\nmemory=4000000\n";

    #[test]
    fn a_restricted_host_is_recognised() {
        let seen =
            facts("cgroup=1\ndevices=limited\nbounding-set=0000003ffeffffff\nconntrack-limit=fixed\ngateway=10.0.0.1");
        assert!(seen.cgroup_v1 && seen.limited_devices && seen.lacks_sys_resource && seen.conntrack_limit_is_fixed);
        assert_eq!(seen.gateway.as_deref(), Some("10.0.0.1"));
        let seen = facts("cgroup=2\ndevices=all\nbounding-set=000001ffffffffff\nconntrack-limit=writable\ngateway=");
        assert!(!seen.cgroup_v1 && !seen.limited_devices && !seen.lacks_sys_resource && !seen.conntrack_limit_is_fixed);
        assert_eq!(seen.gateway, None);
    }

    #[test]
    fn a_machine_within_the_clusters_own_networks_is_refused_by_the_option() {
        let machine = "worker-1".parse().unwrap();
        let refusal = |address| address_refusal(&machine, address, &options(""));
        assert_eq!(refusal("192.168.0.7"), None);
        for (address, option) in [("10.244.3.7", "podSubnet"), ("10.100.0.7", "serviceSubnet")] {
            assert!(refusal(address).unwrap().remedy.unwrap().contains(option), "{address}");
        }
    }

    #[test]
    fn what_cannot_be_mended_by_settings_is_refused_with_a_remedy() {
        let machine = "worker-1".parse().unwrap();
        assert_eq!(facts(GOOD).refusal(&machine, true), None);
        for (fact, part) in [
            ("foreign=k3s", "k3s"),
            ("foreign=kubelet", "another Kubernetes cluster"),
            ("foreign=no-apt", "no apt"),
            ("overlay=no", "overlay"),
            ("bridge-filter=no", "bridged packets"),
            ("memory=1000000", "memory"),
        ] {
            let refusal = facts(&format!("{GOOD}{fact}")).refusal(&machine, true).unwrap();
            assert!(refusal.message.contains(part), "{refusal}");
            assert!(refusal.remedy.is_some() && refusal.retry == muster_protocol::Retry::Never);
        }
        assert_eq!(facts(&format!("{GOOD}memory=1000000")).refusal(&machine, false), None);
    }

    #[test]
    fn pods_never_get_a_loopback_name_server() {
        let direct =
            |servers: &[&str]| NameServers::Direct(servers.iter().map(|server| (*server).to_owned()).collect());
        let behind_resolved = facts("name-server=127.0.0.53\nname-server=10.1.1.1");
        assert_eq!(behind_resolved.pod_name_servers(&options("")), direct(&["10.1.1.1"]));
        let in_docker = facts("name-server=127.0.0.11");
        assert_eq!(in_docker.pod_name_servers(&options("")), NameServers::Relayed("127.0.0.11".to_owned()));
        assert_eq!(in_docker.pod_name_servers(&options("9.9.9.9")), direct(&["9.9.9.9"]));
    }
}
