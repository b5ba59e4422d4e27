//! Prepares machines for Docker Swarm: an engine that answers over mutual TLS, trusting the cluster's authority only.

mod config;

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use muster_engine::context::{ClusterContext, Material};
use muster_engine::failure::Failure;
use muster_engine::ledger::MachineAccess;
use muster_engine::machine::{MachineFile, MachineRun, Machines as _};
use muster_engine::options::{KnownOption, refuse_pool_labels};
use muster_engine::preparer::{Preparer, StepOrder};
use muster_engine::recipe::{Peer, Recipe, Recipes};
use muster_material::images;
use muster_material::networks::{self, Networks, option};
use muster_material::people::PeoplesAuthority;
use muster_material::subnet::Subnet;
use muster_protocol::model::cluster::ClusterSpec;
use muster_protocol::model::host::Role;
use muster_protocol::{Error, ErrorCode, Name};
use zeroize::Zeroizing;

use crate::docker_engine;
use crate::machines::SshMachines;
use crate::material::{self, MaterialError};
use crate::pki::{Authority, Identity};
use crate::recipe::{digest, in_parts};

/// Where a prepared machine's Docker Engine answers over mutual TLS.
pub const ENGINE_PORT: u16 = 2376;

/// What a preparation runs, in this order. Each part is safe to run again.
const PARTS: [(&str, &str); 3] = [
    ("install", include_str!("../../recipes/swarm/install-docker.sh")),
    ("configure", include_str!("../../recipes/swarm/configure.sh")),
    ("activate", include_str!("../../recipes/swarm/activate.sh")),
];
/// How long a preparation may take on the machine.
const PREPARATION_LIMIT: Duration = Duration::from_secs(30 * 60);

/// How long the engine may take from its unit being started to its API answering.
const ENGINE_START_LIMIT: Duration = Duration::from_secs(60);

/// The options of a cluster.
const KNOWN: [KnownOption; 4] = [
    KnownOption {
        name: option::ADDRESS_POOLS,
        about: "the networks, with commas between, of which each network of the cluster takes a /24: 10.50.0.0/16",
        per_pool: false,
        check: |value| networks::pools(value).map(drop),
    },
    KnownOption {
        name: option::ENGINE_ADDRESS_POOLS,
        about: "the networks, with commas between, of which each network of a machine's own engine takes a /24: 10.60.0.0/16",
        per_pool: false,
        check: |value| networks::pools(value).map(drop),
    },
    KnownOption {
        name: option::MTU,
        about: "the largest packet that the machines' network carries, in bytes; without it, what the machines show",
        per_pool: false,
        check: |value| networks::mtu(value).map(drop),
    },
    KnownOption {
        name: images::KEEP_IMAGES,
        about: "how long an image stays on the machines that no service needs any more: 30m, 2h, 7d or forever; without it, 1h",
        per_pool: false,
        check: |value| images::read(value).map(drop),
    },
];

/// What may differ between installations.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PreparerOptions {
    /// Registries that engines ask before Docker Hub, as URLs. `{gateway}` stands for the machine's default gateway.
    pub registry_mirrors: Vec<String>,
    /// Registries (`host:port`) that engines may reach without TLS. `{gateway}` stands for the machine's default gateway.
    pub insecure_registries: Vec<String>,
    /// How long a new machine's sshd may take to answer.
    pub boot_limit: Duration,
}

impl Default for PreparerOptions {
    fn default() -> Self {
        Self { registry_mirrors: Vec::new(), insecure_registries: Vec::new(), boot_limit: Duration::from_secs(300) }
    }
}

impl PreparerOptions {
    fn names_gateway(&self) -> bool {
        self.registry_mirrors.iter().chain(&self.insecure_registries).any(|place| place.contains(config::GATEWAY))
    }
}

/// Prepares machines for Docker Swarm.
pub struct SwarmPreparer {
    options: PreparerOptions,
}

impl SwarmPreparer {
    /// A preparer with these options.
    pub fn new(options: PreparerOptions) -> Self {
        Self { options }
    }

    fn revision(&self, networks: &Networks) -> String {
        let config = config::daemon_json(&self.options, networks);
        let parts = PARTS.iter().map(|(_, text)| *text);
        format!("swarm-{}", digest(parts.chain([config.as_str(), config::UNIT_DROP_IN, config::TRUSTED])))
    }

    /// The run that prepares a machine: one script, found again by its number whatever becomes of the connection.
    fn preparation(&self, cluster: &ClusterContext, order: &StepOrder) -> Result<MachineRun, Failure> {
        let identity = self.server_identity(cluster, &order.machine, &order.access)?;
        let authority = material::entry(&cluster.material, material::CA_CERTIFICATE).map_err(broken_material)?;
        let people =
            PeoplesAuthority::derive(&cluster.material, cluster.name(), order.renewal).map_err(broken_material)?;
        // The handler's own certificate is of the one, people's are of the other, which the next renewal replaces.
        let trusted = format!("{authority}{}", people.certificate_pem());
        let file = |path: &str, mode, content: &[u8]| MachineFile {
            path: path.to_owned(),
            mode,
            content: Zeroizing::new(content.to_vec()),
        };
        let staged = |name: &str| format!("{}/{name}", config::STAGED);
        let networks = read_networks(&cluster.spec).map_err(|error| {
            Failure::not_applied(ErrorCode::Internal, format!("the cluster's options cannot be used: {error}"))
                .permanent()
        })?;
        let needs_gateway = if self.options.names_gateway() { "yes" } else { "no" };
        Ok(MachineRun {
            name: format!("{}-{}", order.run.step.as_str(), order.run.run),
            script: in_parts(&PARTS),
            variables: vec![
                ("NEEDS_GATEWAY".to_owned(), needs_gateway.to_owned()),
                ("STAGED".to_owned(), config::STAGED.to_owned()),
            ],
            files: vec![
                file(config::CA_PATH, 0o644, trusted.as_bytes()),
                file(config::CERTIFICATE_PATH, 0o644, identity.certificate_pem.as_bytes()),
                file(config::KEY_PATH, 0o600, identity.key_pem.expose().as_bytes()),
                file(&staged("daemon.json"), 0o644, config::daemon_json(&self.options, &networks).as_bytes()),
                file(&staged("muster.conf"), 0o644, config::UNIT_DROP_IN.as_bytes()),
            ],
            limit: PREPARATION_LIMIT,
        })
    }

    fn server_identity(
        &self,
        cluster: &ClusterContext,
        machine: &Name,
        access: &MachineAccess,
    ) -> Result<Identity, Failure> {
        let address: IpAddr = access.address.parse().map_err(|_| {
            let message = format!("`{}` is no IP address, and the engine's certificate needs one", access.address);
            Failure::not_applied(ErrorCode::Preparation, message).permanent()
        })?;
        let certificate = material::entry(&cluster.material, material::CA_CERTIFICATE).map_err(broken_material)?;
        let key = material::entry(&cluster.material, material::CA_KEY).map_err(broken_material)?;
        let identity = Authority::load(cluster.name(), certificate, key)
            .and_then(|authority| authority.issue_server(machine, address))
            .map_err(MaterialError::from);
        identity.map_err(broken_material)
    }
}

impl Recipes for SwarmPreparer {
    fn offered(&self, spec: &ClusterSpec) -> Recipe {
        // Options that cannot be used are refused before they are stored.
        let networks = read_networks(spec).unwrap_or_default();
        Recipe { version: None, revision: self.revision(&networks) }
    }

    /// Manager or worker makes no difference to the machine: it is the handler that makes it one.
    fn peers(&self, _spec: &ClusterSpec, _role: Role, _peers: &[Peer], _endpoint: Option<&str>) -> String {
        String::new()
    }

    fn name_peers(&self) -> bool {
        false
    }
}

#[async_trait]
impl Preparer for SwarmPreparer {
    fn validate(&self, spec: &ClusterSpec) -> Result<(), Error> {
        if spec.version.is_some() {
            return Err(Error::unsupported("version", "swarm")
                .with_remedy("leave `version` out; machines get their distribution's Docker Engine"));
        }
        read_networks(spec)?;
        refuse_pool_labels(spec)
    }

    fn options(&self) -> &'static [KnownOption] {
        &KNOWN
    }

    async fn preflight(&self, spec: &ClusterSpec, machine_networks: &[String]) -> Result<(), Error> {
        refuse_machine_networks(&read_networks(spec)?, machine_networks)
    }

    fn material(&self, spec: &ClusterSpec) -> Result<Material, Failure> {
        material::create(&spec.name).map_err(broken_material)
    }

    /// Every preparation brings new certificates, and what a machine is in the swarm does not depend on them.
    fn takes_keys_anew(&self) -> bool {
        true
    }

    async fn perform(&self, cluster: &ClusterContext, order: &StepOrder) -> Result<(), Failure> {
        let machines = SshMachines::new(cluster, self.options.boot_limit).map_err(broken_material)?;
        // New certificates are part of every preparation, so to renew is to prepare.
        machines.run(&order.access, &self.preparation(cluster, order)?).await?;
        docker_engine::wait_until_it_answers(&cluster.material, &order.access.address, ENGINE_PORT, ENGINE_START_LIMIT)
            .await
    }
}

/// What the cluster's options say of its networks, or which of them cannot be used.
fn read_networks(spec: &ClusterSpec) -> Result<Networks, Error> {
    Networks::read(&spec.options).map_err(|(name, why)| Error::invalid(&format!("options.{name}"), why))
}

/// Refuses pools that overlap the machines' own networks, by the field: their machines would not find each other.
fn refuse_machine_networks(networks: &Networks, machine_networks: &[String]) -> Result<(), Error> {
    let machines: Vec<Subnet> = machine_networks.iter().filter_map(|network| network.parse().ok()).collect();
    for (name, pool) in networks.pools() {
        if let Some(other) = machines.iter().find(|machines| machines.overlaps(pool)) {
            let message = format!("{pool} overlaps the machines' network {other}");
            return Err(
                Error::invalid(&format!("options.{name}"), message).with_remedy("give a network that is apart from it")
            );
        }
    }
    Ok(())
}

/// Nothing was done, and nothing ever will be with this material.
fn broken_material(error: MaterialError) -> Failure {
    Failure::not_applied(ErrorCode::Internal, error.to_string()).permanent()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(insecure: &str) -> PreparerOptions {
        PreparerOptions { insecure_registries: vec![insecure.to_owned()], ..PreparerOptions::default() }
    }

    #[test]
    fn the_recipes_name_changes_with_what_machines_get_and_with_nothing_else() {
        let name = |options| SwarmPreparer::new(options).revision(&Networks::default());
        let base = name(options("a:5000"));
        assert_eq!(base, name(options("a:5000")));
        assert_ne!(base, name(options("b:5000")));
        assert_eq!(base, name(PreparerOptions { boot_limit: Duration::ZERO, ..options("a:5000") }));
        assert!(base.strip_prefix("swarm-").is_some_and(|digest| digest.len() == 8), "{base}");
    }

    fn asked(options: &[(&str, &str)]) -> ClusterSpec {
        use muster_protocol::model::cluster::{Infrastructure, Orchestrator};
        let mut spec = ClusterSpec::new("demo".parse().unwrap(), Orchestrator::Swarm, Infrastructure::Local);
        spec.options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        spec
    }

    #[test]
    fn networks_change_the_recipe_only_where_they_change_the_machine() {
        let preparer = SwarmPreparer::new(PreparerOptions::default());
        let plain = preparer.offered(&asked(&[]));
        assert_eq!(plain, preparer.offered(&asked(&[("addressPools", "10.50.0.0/16")])));
        assert_ne!(plain, preparer.offered(&asked(&[("engineAddressPools", "10.60.0.0/16")])));
        assert_ne!(plain, preparer.offered(&asked(&[("mtu", "1400")])));
    }

    #[tokio::test]
    async fn pools_that_are_where_the_machines_are_are_refused_by_field_before_anything_is_made() {
        let preparer = SwarmPreparer::new(PreparerOptions::default());
        let spec = asked(&[("addressPools", "10.0.0.0/16")]);
        let machines = ["10.0.4.0/22".to_owned()];
        let refusal = preparer.preflight(&spec, &machines).await.unwrap_err();
        assert_eq!(
            (refusal.code, refusal.details["field"].as_str()),
            (ErrorCode::InvalidArgument, "options.addressPools")
        );
        assert!(refusal.message.contains("10.0.4.0/22"), "{refusal}");
        assert!(preparer.preflight(&spec, &["10.1.0.0/16".to_owned()]).await.is_ok());
    }
}
