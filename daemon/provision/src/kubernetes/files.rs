//! The files that a Kubernetes machine gets beside kubeadm's.

use muster_engine::recipe::Peer;
use muster_protocol::model::host::Role;

use super::facts::{Facts, NameServers};
use super::options::{Cni, KubernetesOptions};
use super::{API_PORT, BALANCER_PORT, FOLDER, SERVER_NAME};

/// flannel's objects and the network's plugin configuration.
const FLANNEL: &str = include_str!("../../recipes/kubernetes/flannel.yaml");
/// The unit of the balancer.
pub(super) const BALANCER_UNIT: &str = include_str!("../../recipes/kubernetes/muster-balancer.service");
/// The unit that passes pods' questions on to a loopback name server.
const NAME_RELAY_UNIT: &str = include_str!("../../recipes/kubernetes/muster-name-relay.service");

/// containerd's configuration. `runtime.sh` puts the image of `pause` in that kubeadm names.
pub(super) fn containerd(facts: &Facts) -> String {
    let systemd_cgroup = !facts.cgroup_v1;
    let restrict = facts.lacks_sys_resource;
    let without_devices = facts.limited_devices;
    format!(
        r#"# Written by Muster. containerd 1.6 and 1.7 read this version as theirs, 2 migrates it; what is not said is the default.
version = 2

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "@PAUSE@"
# Without CAP_SYS_RESOURCE nobody may lower an oom_score_adj, and containers would not start.
restrict_oom_score_adj = {restrict}

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/opt/cni/bin"
conf_dir = "/etc/cni/net.d"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
# A privileged container is given all devices, and does not start where the machine itself has not all of them.
privileged_without_host_devices = {without_devices}

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = {systemd_cgroup}

[plugins."io.containerd.grpc.v1.cri".registry]
config_path = "/etc/containerd/certs.d"
"#
    )
}

/// How containerd reaches a registry without TLS.
pub(super) fn registry_hosts(registry: &str) -> String {
    format!(
        "# Written by Muster.\nserver = \"http://{registry}\"\n\n[host.\"http://{registry}\"]\ncapabilities = [\"pull\", \"resolve\"]\n"
    )
}

/// The balancer's configuration: every control plane whose API server says that it is ready.
pub(super) fn balancer(peers: &[Peer]) -> String {
    let mut servers: Vec<(&str, &str)> = peers
        .iter()
        .filter(|peer| peer.role == Role::ControlPlane)
        .map(|peer| (peer.machine.as_str(), peer.private_address.as_str()))
        .collect();
    servers.sort_unstable();
    let mut text = format!(
        "# Written by Muster. A connection alone does not tell that an API server serves: /readyz is asked.
global
    maxconn 8000
    user haproxy
    group haproxy
    # Connections to a control plane that is taken off the list end within this time after a reload.
    hard-stop-after 60s

defaults
    mode tcp
    timeout connect 3s
    timeout client 1h
    timeout server 1h
    timeout check 3s
    retries 3
    option redispatch
    option clitcpka
    option srvtcpka

frontend api
    bind 127.0.0.1:{BALANCER_PORT}
    default_backend control-planes

backend control-planes
    balance leastconn
    option httpchk
    http-check send meth GET uri /readyz ver HTTP/1.1 hdr Host {SERVER_NAME}
    http-check expect status 200
    default-server check check-ssl check-alpn http/1.1 check-sni {SERVER_NAME} verify required verifyhost {SERVER_NAME} ca-file {FOLDER}/ca.crt inter 1s downinter 500ms rise 1 fall 2 on-marked-down shutdown-sessions
"
    );
    for (machine, address) in servers {
        text.push_str(&format!("    server {machine} {address}:{API_PORT}\n"));
    }
    text
}

/// What pods find as their `resolv.conf`.
pub(super) fn resolv_conf(servers: &NameServers, address: &str) -> String {
    let servers = match servers {
        NameServers::Direct(servers) => servers.clone(),
        NameServers::Relayed(_) => vec![address.to_owned()],
    };
    servers.iter().map(|server| format!("nameserver {server}\n")).collect()
}

/// The relay's unit, where one is needed.
pub(super) fn name_relay(servers: &NameServers, address: &str) -> Option<String> {
    match servers {
        NameServers::Direct(_) => None,
        NameServers::Relayed(server) => Some(NAME_RELAY_UNIT.replace("@ADDRESS@", address).replace("@SERVER@", server)),
    }
}

/// The manifest that makes the pods' network, if it is ours to apply.
pub(super) fn cni(options: &KubernetesOptions) -> Option<String> {
    match &options.cni {
        Cni::Flannel { image } => {
            Some(FLANNEL.replace("@IMAGE@", image).replace("@POD_SUBNET@", &options.pod_subnet.to_string()))
        }
        Cni::None => None,
        Cni::Manifest(manifest) => Some(manifest.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_balancer_knows_the_control_planes_only_and_its_text_does_not_depend_on_their_order() {
        let peer = |name: &str, role, address: &str| Peer {
            machine: name.parse().unwrap(),
            role,
            private_address: address.to_owned(),
        };
        let one = peer("control-plane-1", Role::ControlPlane, "10.0.0.2");
        let two = peer("control-plane-2", Role::ControlPlane, "10.0.0.3");
        let worker = peer("worker-1", Role::Worker, "10.0.0.4");
        let text = balancer(&[one.clone(), two.clone(), worker]);
        assert!(
            text.ends_with("    server control-plane-1 10.0.0.2:6443\n    server control-plane-2 10.0.0.3:6443\n"),
            "{text}"
        );
        assert_eq!(text, balancer(&[two, one]));
    }

    #[test]
    fn a_loopback_name_server_is_relayed_at_the_machines_own_address() {
        let relayed = NameServers::Relayed("127.0.0.11".to_owned());
        assert_eq!(resolv_conf(&relayed, "10.0.0.2"), "nameserver 10.0.0.2\n");
        let unit = name_relay(&relayed, "10.0.0.2").unwrap();
        assert!(unit.contains("bind=10.0.0.2") && unit.contains("127.0.0.11:53"), "{unit}");
        assert_eq!(name_relay(&NameServers::Direct(vec!["9.9.9.9".to_owned()]), "10.0.0.2"), None);
    }
}
