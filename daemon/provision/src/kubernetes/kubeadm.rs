//! kubeadm's configuration, as far as it is used here: `kubeadm.k8s.io/v1beta4`, and the component configurations that it
//! passes on. <https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4/>

use std::collections::BTreeMap;

use serde::Serialize;

/// A document of a configuration file.
#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
#[serde(tag = "kind")]
#[expect(clippy::enum_variant_names, reason = "these are kubeadm's names of its documents")]
pub(super) enum Document {
    InitConfiguration(InitConfiguration),
    ClusterConfiguration(Box<ClusterConfiguration>),
    JoinConfiguration(JoinConfiguration),
    KubeletConfiguration(KubeletConfiguration),
    KubeProxyConfiguration(KubeProxyConfiguration),
}

const KUBEADM: &str = "kubeadm.k8s.io/v1beta4";
const KUBELET: &str = "kubelet.config.k8s.io/v1beta1";
const KUBE_PROXY: &str = "kubeproxy.config.k8s.io/v1alpha1";

impl Document {
    const fn api_version(&self) -> &'static str {
        match self {
            Self::InitConfiguration(_) | Self::ClusterConfiguration(_) | Self::JoinConfiguration(_) => KUBEADM,
            Self::KubeletConfiguration(_) => KUBELET,
            Self::KubeProxyConfiguration(_) => KUBE_PROXY,
        }
    }
}

/// A file with these documents. YAML takes JSON as it is.
pub(super) fn file(documents: &[Document]) -> Result<String, serde_json::Error> {
    let mut text = String::new();
    for document in documents {
        text.push_str("---\n");
        let versioned = Versioned { api_version: document.api_version(), document };
        text.push_str(&serde_json::to_string_pretty(&versioned)?);
        text.push('\n');
    }
    Ok(text)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Versioned<'a> {
    api_version: &'static str,
    #[serde(flatten)]
    document: &'a Document,
}

#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
#[serde(rename_all = "camelCase")]
pub(super) struct InitConfiguration {
    #[serde(rename = "localAPIEndpoint")]
    pub local_api_endpoint: ApiEndpoint,
    pub node_registration: NodeRegistration,
    pub bootstrap_tokens: Vec<BootstrapToken>,
    pub patches: Patches,
}

#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
#[serde(rename_all = "camelCase")]
pub(super) struct JoinConfiguration {
    pub discovery: Discovery,
    pub node_registration: NodeRegistration,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control_plane: Option<JoinControlPlane>,
    pub patches: Patches,
}

#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
#[serde(rename_all = "camelCase")]
pub(super) struct JoinControlPlane {
    #[serde(rename = "localAPIEndpoint")]
    pub local_api_endpoint: ApiEndpoint,
}

/// By a file: it pins the cluster's authority itself, and its token is not in this configuration.
#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
pub(super) struct Discovery {
    pub file: FileDiscovery,
}

#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
#[serde(rename_all = "camelCase")]
pub(super) struct FileDiscovery {
    pub kube_config_path: String,
}

#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
#[serde(rename_all = "camelCase")]
pub(super) struct ApiEndpoint {
    pub advertise_address: String,
    pub bind_port: u16,
}

#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
#[serde(rename_all = "camelCase")]
pub(super) struct NodeRegistration {
    pub name: String,
    pub cri_socket: String,
    pub image_pull_policy: &'static str,
    pub kubelet_extra_args: Vec<Argument>,
    pub ignore_preflight_errors: Vec<&'static str>,
    /// Absent: kubeadm's own for the role. Empty: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taints: Option<Vec<String>>,
}

#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
pub(super) struct Argument {
    pub name: &'static str,
    pub value: String,
}

/// kubeadm makes one that lives a day if none is given; this one, random too, is removed as soon as the cluster is formed.
#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
pub(super) struct BootstrapToken {
    pub ttl: &'static str,
}

#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
pub(super) struct Patches {
    pub directory: String,
}

#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClusterConfiguration {
    pub cluster_name: String,
    pub kubernetes_version: String,
    pub image_repository: String,
    pub control_plane_endpoint: String,
    pub encryption_algorithm: &'static str,
    pub networking: Networking,
    pub api_server: ApiServer,
}

#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
#[serde(rename_all = "camelCase")]
pub(super) struct Networking {
    pub pod_subnet: String,
    pub service_subnet: String,
    pub dns_domain: &'static str,
}

#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
pub(super) struct ApiServer {
    #[serde(rename = "certSANs")]
    pub cert_sans: Vec<String>,
}

/// The cluster's kubelets, as far as all are the same; what differs by machine is in [`KubeletPatch`].
#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
#[serde(rename_all = "camelCase")]
pub(super) struct KubeletConfiguration {
    pub resolv_conf: String,
    pub fail_swap_on: bool,
}

/// Merged over the cluster's kubelet configuration on one machine.
#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
#[serde(rename_all = "camelCase")]
pub(super) struct KubeletPatch {
    pub cgroup_driver: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fail_cgroup_v1: Option<bool>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub feature_gates: BTreeMap<&'static str, bool>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub eviction_hard: BTreeMap<&'static str, &'static str>,
    /// 100: images are not removed for want of space.
    #[serde(rename = "imageGCHighThresholdPercent", skip_serializing_if = "Option::is_none")]
    pub image_gc_high_threshold_percent: Option<u32>,
}

#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
pub(super) struct KubeProxyConfiguration {
    pub mode: &'static str,
    pub conntrack: Conntrack,
}

#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
#[serde(rename_all = "camelCase")]
pub(super) struct Conntrack {
    /// 0: the kernel's own limit is left as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_per_core: Option<u32>,
}
