//! kubeadm's configuration for one machine: made when it is prepared, for what the machine is like is known then.

use std::collections::BTreeMap;

use muster_engine::context::{ClusterContext, mark};
use muster_protocol::Name;
use muster_protocol::model::host::Role;

use super::facts::Facts;
use super::kubeadm::{
    ApiEndpoint, ApiServer, Argument, BootstrapToken, ClusterConfiguration, Conntrack, Discovery, Document,
    FileDiscovery, InitConfiguration, JoinConfiguration, JoinControlPlane, KubeProxyConfiguration,
    KubeletConfiguration, KubeletPatch, Networking, NodeRegistration, Patches,
};
use super::options::KubernetesOptions;
use super::{API_PORT, BALANCER_PORT, FOLDER, JOIN_KUBECONFIG, SERVER_NAME};

const CRI_SOCKET: &str = "unix:///run/containerd/containerd.sock";

/// When a kubelet on a disk that it shares begins to evict pods: a share of the whole disk, the default, would depend on what
/// others keep there.
const SHARED_DISK: [(&str, &str); 4] = [
    ("memory.available", "100Mi"),
    ("nodefs.available", "1Gi"),
    ("imagefs.available", "1Gi"),
    ("nodefs.inodesFree", "1%"),
];

/// The machine that the configuration is for.
pub(super) struct ConfiguredMachine<'a> {
    pub cluster: &'a ClusterContext,
    pub name: &'a Name,
    pub role: Role,
    /// Where the other machines reach it.
    pub address: &'a str,
    /// Where the infrastructure lets all control planes be reached, as `host:port`; without one, each machine has a
    /// balancer of its own.
    pub endpoint: Option<&'a str>,
    pub facts: &'a Facts,
    pub options: &'a KubernetesOptions,
}

impl ConfiguredMachine<'_> {
    /// What `kubeadm init` reads.
    pub(super) fn init(&self) -> Vec<Document> {
        let init = InitConfiguration {
            local_api_endpoint: self.api_endpoint(),
            node_registration: self.registration(),
            bootstrap_tokens: vec![BootstrapToken { ttl: "10m0s" }],
            patches: patches(),
        };
        let cluster = ClusterConfiguration {
            cluster_name: self.cluster.name().to_string(),
            kubernetes_version: format!("v{}", self.options.version),
            image_repository: self.options.image_repository.clone(),
            control_plane_endpoint: endpoint(self.endpoint),
            encryption_algorithm: "ECDSA-P256",
            networking: Networking {
                pod_subnet: self.options.pod_subnet.to_string(),
                service_subnet: self.options.service_subnet.to_string(),
                dns_domain: "cluster.local",
            },
            api_server: ApiServer { cert_sans: self.server_names() },
        };
        let kubelet = KubeletConfiguration {
            resolv_conf: format!("{FOLDER}/resolv.conf"),
            // Pods get no swap; the machine may keep it.
            fail_swap_on: false,
        };
        let kube_proxy = KubeProxyConfiguration {
            mode: "iptables",
            conntrack: Conntrack { max_per_core: self.facts.conntrack_limit_is_fixed.then_some(0) },
        };
        vec![
            Document::InitConfiguration(init),
            Document::ClusterConfiguration(Box::new(cluster)),
            Document::KubeletConfiguration(kubelet),
            Document::KubeProxyConfiguration(kube_proxy),
        ]
    }

    /// What `kubeadm join` reads.
    pub(super) fn join(&self) -> Vec<Document> {
        let control_plane = match self.role {
            Role::ControlPlane => Some(JoinControlPlane { local_api_endpoint: self.api_endpoint() }),
            Role::Worker | Role::Unknown(_) => None,
        };
        let join = JoinConfiguration {
            discovery: Discovery { file: FileDiscovery { kube_config_path: JOIN_KUBECONFIG.to_owned() } },
            node_registration: self.registration(),
            control_plane,
            patches: patches(),
        };
        vec![Document::JoinConfiguration(join)]
    }

    /// What differs by machine in the kubelet's configuration.
    pub(super) fn kubelet_patch(&self) -> KubeletPatch {
        KubeletPatch {
            cgroup_driver: if self.facts.cgroup_v1 { "cgroupfs" } else { "systemd" },
            // 1.35 and later refuse cgroup v1 otherwise.
            fail_cgroup_v1: self.facts.cgroup_v1.then_some(false),
            // Makes it go on where the kernel's settings cannot be written.
            feature_gates: if self.facts.lacks_sys_resource {
                BTreeMap::from([("KubeletInUserNamespace", true)])
            } else {
                BTreeMap::new()
            },
            eviction_hard: if self.facts.is_container { BTreeMap::from(SHARED_DISK) } else { BTreeMap::new() },
            image_gc_high_threshold_percent: self.facts.is_container.then_some(100),
        }
    }

    /// The names in the certificates of API servers. They are the same on all control planes; each adds its own address.
    fn server_names(&self) -> Vec<String> {
        let of_endpoint = self.endpoint.map(|address| address.rsplit_once(':').map_or(address, |(host, _)| host));
        [SERVER_NAME, "127.0.0.1"].into_iter().chain(of_endpoint).map(str::to_owned).collect()
    }

    fn api_endpoint(&self) -> ApiEndpoint {
        ApiEndpoint { advertise_address: self.address.to_owned(), bind_port: API_PORT }
    }

    /// Our marks, and the label by which the handler knows the machine.
    fn labels(&self) -> String {
        let (cluster, instance, machine) = (self.cluster.cluster, self.cluster.instance, self.name);
        format!("{}={cluster},{}={instance},io.muster.machine={machine}", mark::CLUSTER, mark::INSTANCE)
    }

    fn registration(&self) -> NodeRegistration {
        NodeRegistration {
            name: self.name.to_string(),
            cri_socket: CRI_SOCKET.to_owned(),
            image_pull_policy: "IfNotPresent",
            kubelet_extra_args: vec![
                // A machine with several networks has to be told which one is the cluster's.
                Argument { name: "node-ip", value: self.address.to_owned() },
                Argument { name: "node-labels", value: self.labels() },
            ],
            // It knows no cgroup v1 any more, and wants to read the kernel's configuration.
            ignore_preflight_errors: if self.facts.cgroup_v1 || self.facts.lacks_sys_resource {
                vec!["SystemVerification"]
            } else {
                Vec::new()
            },
            // Without workers there is nowhere else for services.
            taints: (self.role == Role::ControlPlane && self.cluster.spec.count(Role::Worker) == 0).then(Vec::new),
        }
    }
}

/// Where a machine reaches whichever control plane serves.
pub(super) fn endpoint(given: Option<&str>) -> String {
    given.map_or_else(|| format!("127.0.0.1:{BALANCER_PORT}"), str::to_owned)
}

fn patches() -> Patches {
    Patches { directory: format!("{FOLDER}/patches") }
}
