//! Prepares machines for Kubernetes: containerd, kubeadm, kubelet and kubectl of one version, a balancer that knows the
//! control planes where the infrastructure has none, and kubeadm's configuration for this very machine. Forming and joining
//! are the handler's.

mod config;
mod facts;
mod files;
#[cfg(test)]
pub(crate) mod fixtures;
mod kubeadm;
mod logins;
mod manifest;
mod options;
mod repository;
mod signer;
mod version;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use muster_engine::context::{ClusterContext, Material};
use muster_engine::failure::Failure;
use muster_engine::machine::{MachineFile, MachineRun, Machines as _};
use muster_engine::options::KnownOption;
use muster_engine::preparer::{Preparer, StepOrder};
use muster_engine::recipe::{MachineStep, Peer, Recipe, Recipes};
use muster_protocol::model::cluster::ClusterSpec;
use muster_protocol::model::host::Role;
use muster_protocol::{Error, ErrorCode};
use zeroize::Zeroizing;

use self::config::ConfiguredMachine;
use self::facts::Facts;
use self::logins::MachineLogins;
use self::options::RepositoryKey;
pub use self::options::{Cni, KubernetesOptions, option};
pub use self::version::{SUPPORTED, Version};
use crate::kubernetes_pki;
use crate::logins::Logins;
use crate::machines::{ASK, SshMachines, StepProgress, unique};
use crate::material::{self, MaterialError};
use crate::recipe::{digest, in_parts};

/// Where everything lies on a machine that is Muster's and of Kubernetes.
pub const FOLDER: &str = "/etc/muster/kubernetes";
/// Where an API server listens.
pub const API_PORT: u16 = 6443;
/// Where each machine reaches whichever control plane serves, on its loopback address, if it has a balancer of its own.
pub const BALANCER_PORT: u16 = 6444;
/// The name that every API server's certificate has, whatever its address.
pub const SERVER_NAME: &str = "muster-control-plane";
/// Where `kubeadm join` finds the cluster's authority and its token. In memory: a reboot forgets it.
pub const JOIN_KUBECONFIG: &str = "/run/muster/kubernetes-join.conf";

const CHECK: &str = include_str!("../../recipes/kubernetes/check.sh");
const INSTALL: &str = include_str!("../../recipes/kubernetes/install.sh");
const RUNTIME: &str = include_str!("../../recipes/kubernetes/runtime.sh");
const UNITS: &str = include_str!("../../recipes/kubernetes/units.sh");
const NODE: &str = include_str!("../../recipes/kubernetes/node.sh");
const UPGRADE: &str = include_str!("../../recipes/kubernetes/upgrade.sh");
const RENEW: &str = include_str!("../../recipes/kubernetes/renew.sh");
const CHECK_LIMIT: Duration = Duration::from_secs(60);
/// Packages and images over a slow line.
const PREPARE_LIMIT: Duration = Duration::from_secs(30 * 60);
const UPGRADE_LIMIT: Duration = Duration::from_secs(45 * 60);
const RENEW_LIMIT: Duration = Duration::from_secs(15 * 60);

/// Prepares machines for Kubernetes.
pub struct KubernetesPreparer {
    /// The installation's defaults for options that clusters leave out.
    defaults: BTreeMap<String, String>,
    boot_limit: Duration,
    logins: Logins,
    progress: Option<Arc<StepProgress>>,
}

impl KubernetesPreparer {
    /// A preparer with the installation's defaults of options; a new machine's sshd may take `boot_limit` to answer.
    pub fn new(defaults: BTreeMap<String, String>, boot_limit: Duration) -> Self {
        Self { defaults, boot_limit, logins: Logins::default(), progress: None }
    }

    /// With logins at the places that packages and images come from.
    #[must_use]
    pub fn with_logins(mut self, logins: Logins) -> Self {
        self.logins = logins;
        self
    }

    /// Also gives every line that a step says to `progress`.
    #[must_use]
    pub fn with_progress(mut self, progress: Arc<StepProgress>) -> Self {
        self.progress = Some(progress);
        self
    }

    async fn perform_over(
        &self,
        machines: &SshMachines,
        cluster: &ClusterContext,
        order: &StepOrder,
    ) -> Result<(), Failure> {
        let name = format!("{}-{}", order.run.step.as_str(), order.run.run);
        if order.run.step == MachineStep::Renew {
            return machines.run(&order.access, &renewal(cluster, order, name)?).await.map(|_| ());
        }
        let check = MachineRun {
            name: unique(&format!("{ASK}facts")),
            script: CHECK.to_owned(),
            variables: Vec::new(),
            files: Vec::new(),
            limit: CHECK_LIMIT,
        };
        // An earlier call may have begun the step itself, so a machine that cannot be asked says nothing about its end.
        let facts = machines.run(&order.access, &check).await.map_err(Failure::in_doubt)?;
        let facts = Facts::read(&facts.lines);
        if let Some(refusal) = facts.refusal(&order.machine, order.role == Role::ControlPlane) {
            return Err(refusal);
        }
        let options = self.options_at(cluster, order, &facts)?;
        let address = private_address(order);
        if let Some(refusal) = facts::address_refusal(&order.machine, address, &options) {
            return Err(refusal);
        }
        let machine = ConfiguredMachine {
            cluster,
            name: &order.machine,
            role: order.role,
            address,
            endpoint: order.endpoint.as_deref(),
            facts: &facts,
            options: &options,
        };
        let authority = material::entry(&cluster.material, kubernetes_pki::CA_CERTIFICATE).map_err(broken_material)?;
        let upgrade = format!("{NODE}{UPGRADE}");
        let is_upgrade = order.run.step == MachineStep::Upgrade;
        let mut parts = vec![("install", INSTALL), ("runtime", RUNTIME), ("units", UNITS)];
        if is_upgrade {
            // The new kubeadm wants other images.
            parts.extend([("upgrade", upgrade.as_str()), ("runtime", RUNTIME)]);
        }
        // As above: an earlier call may have begun the step.
        let logins = MachineLogins::read(&self.logins, &options).await.map_err(Failure::in_doubt)?;
        let mut files = machine_files(&machine, &order.peers, authority)?;
        files.extend(logins.files(&options));
        let step = MachineRun {
            name,
            script: in_parts(&parts),
            variables: variables(&options, order),
            files,
            limit: if is_upgrade { UPGRADE_LIMIT } else { PREPARE_LIMIT },
        };
        machines.run(&order.access, &step).await.map(|_| ())
    }

    fn read(&self, spec: &ClusterSpec) -> Result<KubernetesOptions, Error> {
        KubernetesOptions::read(spec, &self.defaults)
    }

    /// The options for this machine: with the version of the step's target, and the machine's own gateway.
    fn options_at(
        &self,
        cluster: &ClusterContext,
        order: &StepOrder,
        facts: &Facts,
    ) -> Result<KubernetesOptions, Failure> {
        let refused = |error: Error| Failure::not_applied(error.code, error.message).permanent();
        let mut spec = cluster.spec.clone();
        spec.version.clone_from(&order.run.target.recipe.version);
        let options = self.read(&spec).map_err(refused)?;
        match &facts.gateway {
            Some(gateway) => Ok(options.at_gateway(gateway)),
            None if options.names_gateway() => {
                let message = "the machine has no default gateway that `{gateway}` in the options could stand for";
                Err(Failure::not_applied(ErrorCode::Preparation, message).with_remedy(
                    "give the machines a default route, or name repository and registry by their own addresses",
                ))
            }
            None => Ok(options),
        }
    }
}

impl Recipes for KubernetesPreparer {
    fn offered(&self, spec: &ClusterSpec) -> Recipe {
        // A spec that is refused gets no machine, so what its recipe is matters to nobody.
        let Ok(options) = self.read(spec) else { return Recipe::default() };
        let cni = files::cni(&options).unwrap_or_default();
        let containerd = files::containerd(&Facts::default());
        // kubeadm's configuration follows from the options and from the machine.
        let options_text = format!("{options:?}");
        let parts =
            [CHECK, INSTALL, RUNTIME, UNITS, files::BALANCER_UNIT, &options_text, containerd.as_str(), cni.as_str()];
        Recipe { version: Some(options.version.to_string()), revision: format!("kubernetes-{}", digest(parts)) }
    }

    /// The balancer's control planes, on every machine; a new worker is nobody's concern but its own. With a balancer of the
    /// infrastructure, a machine names nothing but that.
    fn peers(&self, _spec: &ClusterSpec, _role: Role, peers: &[Peer], endpoint: Option<&str>) -> String {
        match endpoint {
            Some(endpoint) => digest([endpoint]),
            None => digest([files::balancer(peers).as_str()]),
        }
    }

    fn name_peers(&self) -> bool {
        true
    }
}

#[async_trait]
impl Preparer for KubernetesPreparer {
    fn validate(&self, spec: &ClusterSpec) -> Result<(), Error> {
        self.read(spec).map(|_| ())
    }

    fn options(&self) -> &'static [KnownOption] {
        &options::KNOWN
    }

    async fn preflight(&self, spec: &ClusterSpec, machine_networks: &[String]) -> Result<(), Error> {
        let options = self.read(spec)?;
        options.refuse_machine_networks(machine_networks)?;
        if KubernetesOptions::checks_repository(spec, &self.defaults)? {
            let login = logins::for_apt(&self.logins, &options.package_repository).await;
            let login = login.map_err(|failure| options::invalid(option::PACKAGE_REPOSITORY, failure.message))?;
            repository::check(&options, login).await?;
        }
        Ok(())
    }

    fn material(&self, spec: &ClusterSpec) -> Result<Material, Failure> {
        let mut material = material::create(&spec.name).map_err(broken_material)?;
        kubernetes_pki::add_to(&mut material).map_err(|error| broken_material(error.into()))?;
        Ok(material)
    }

    async fn perform(&self, cluster: &ClusterContext, order: &StepOrder) -> Result<(), Failure> {
        let mut machines = SshMachines::new(cluster, self.boot_limit).map_err(broken_material)?;
        if let Some(progress) = &self.progress {
            machines = machines.with_progress(Arc::clone(progress));
        }
        self.perform_over(&machines, cluster, order).await
    }
}

/// New certificates for a node, the kubelet's among them: one that has run out cannot ask for another itself.
fn renewal(cluster: &ClusterContext, order: &StepOrder, name: String) -> Result<MachineRun, Failure> {
    let kubelet = kubernetes_pki::issue_kubelet(&cluster.material, &order.machine).map_err(broken_material)?;
    Ok(MachineRun {
        name,
        script: format!("{NODE}{RENEW}"),
        variables: vec![
            ("NODE".to_owned(), order.machine.to_string()),
            ("RENEWAL".to_owned(), order.renewal.to_string()),
        ],
        files: vec![MachineFile {
            path: "/run/muster/kubelet-client.pem".to_owned(),
            mode: 0o600,
            content: Zeroizing::new(kubelet.expose().as_bytes().to_vec()),
        }],
        limit: RENEW_LIMIT,
    })
}

/// Where the other machines of the cluster reach this one.
fn private_address(order: &StepOrder) -> &str {
    let own = order.peers.iter().find(|peer| peer.machine == order.machine);
    own.map_or(order.access.private_address.as_str(), |peer| peer.private_address.as_str())
}

fn variables(options: &KubernetesOptions, order: &StepOrder) -> Vec<(String, String)> {
    let key_url = match &options.package_repository_key {
        RepositoryKey::Url(url) => url.as_str(),
        RepositoryKey::Armoured(_) => "",
    };
    let network_image = match &options.cni {
        Cni::Flannel { image } => image.as_str(),
        Cni::None | Cni::Manifest(_) => "",
    };
    [
        ("VERSION", options.version.to_string().as_str()),
        ("REPOSITORY", &options.package_repository),
        ("KEY_URL", key_url),
        ("IMAGE_REPOSITORY", &options.image_repository),
        ("NETWORK_IMAGE", network_image),
        ("CONTROL_PLANE", if order.role == Role::ControlPlane { "yes" } else { "no" }),
        ("RENEWAL", &order.renewal.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

fn machine_files(
    machine: &ConfiguredMachine<'_>,
    peers: &[Peer],
    authority: &str,
) -> Result<Vec<MachineFile>, Failure> {
    let (facts, options) = (machine.facts, machine.options);
    let json = |error: serde_json::Error| Failure::not_applied(ErrorCode::Internal, error.to_string()).permanent();
    let servers = facts.pod_name_servers(options);
    let patch = serde_json::to_string_pretty(&machine.kubelet_patch()).map_err(json)?;
    let mut files = vec![
        file("ca.crt", authority.to_owned()),
        file("endpoint", config::endpoint(machine.endpoint)),
        file("containerd.toml", files::containerd(facts)),
        file("resolv.conf", files::resolv_conf(&servers, machine.address)),
        file("patches/kubeletconfiguration0+merge.json", patch),
        file("join.yaml", kubeadm::file(&machine.join()).map_err(json)?),
    ];
    if machine.endpoint.is_none() {
        files.push(file("balancer.cfg", files::balancer(peers)));
        files.push(file("muster-balancer.wanted", files::BALANCER_UNIT.to_owned()));
    }
    if let Some(unit) = files::name_relay(&servers, machine.address) {
        files.push(file("muster-name-relay.wanted", unit));
    }
    if let RepositoryKey::Armoured(key) = &options.package_repository_key {
        files.push(file("repository.asc", key.clone()));
    }
    if machine.role == Role::ControlPlane {
        files.push(file("init.yaml", kubeadm::file(&machine.init()).map_err(json)?));
        // Empty: nothing is to be applied.
        files.push(file("cni.yaml", files::cni(options).unwrap_or_default()));
    }
    for registry in &options.insecure_registries {
        let path = format!("/etc/containerd/certs.d/{registry}/hosts.toml");
        files.push(MachineFile { path, mode: 0o644, content: bytes(files::registry_hosts(registry)) });
    }
    Ok(files)
}

fn file(name: &str, content: String) -> MachineFile {
    MachineFile { path: format!("{FOLDER}/{name}"), mode: 0o644, content: bytes(content) }
}

fn bytes(text: String) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(text.into_bytes())
}

/// Nothing was done, and nothing ever will be with this material.
fn broken_material(error: MaterialError) -> Failure {
    Failure::not_applied(ErrorCode::Internal, error.to_string()).permanent()
}

#[cfg(test)]
mod tests;
