//! Prepares machines for Docker Swarm: an engine that answers over mutual TLS, trusting the cluster's authority only.

mod config;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use muster_engine::context::{ClusterContext, Material};
use muster_engine::failure::Failure;
use muster_engine::ledger::MachineAccess;
use muster_engine::preparer::Preparer;
use muster_protocol::model::cluster::ClusterSpec;
use muster_protocol::model::host::Role;
use muster_protocol::{Error, ErrorCode, Name, SecretString};
use zeroize::Zeroizing;

use crate::docker_engine;
use crate::material::{self, MaterialError};
use crate::pki::{Authority, Identity};
use crate::recipe::{Script, digest};
use crate::ssh::Session;

/// Where a prepared machine's Docker Engine answers over mutual TLS.
pub const ENGINE_PORT: u16 = 2376;

const CHECK: Script =
    Script { name: "check", text: include_str!("../../recipes/swarm/check.sh"), limit: Duration::from_secs(60) };
const INSTALL: Script = Script {
    name: "install-docker",
    text: include_str!("../../recipes/swarm/install-docker.sh"),
    limit: Duration::from_secs(30 * 60),
};
const ACTIVATE: Script =
    Script { name: "activate", text: include_str!("../../recipes/swarm/activate.sh"), limit: Duration::from_secs(180) };
const FINISH: Script =
    Script { name: "finish", text: include_str!("../../recipes/swarm/finish.sh"), limit: Duration::from_secs(60) };

/// How long the engine may take from its unit being started to its API answering.
const ENGINE_START_LIMIT: Duration = Duration::from_secs(60);

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

/// Gets told every line that a step says: cluster, machine, step, line.
pub type Progress = dyn Fn(&ClusterContext, &Name, &str, &str) + Send + Sync;

/// Prepares machines for Docker Swarm.
pub struct SwarmPreparer {
    options: PreparerOptions,
    progress: Option<Arc<Progress>>,
}

impl SwarmPreparer {
    /// A preparer with these options.
    pub fn new(options: PreparerOptions) -> Self {
        Self { options, progress: None }
    }

    /// Also gives every line that a step says to `progress`.
    #[must_use]
    pub fn with_progress(mut self, progress: Arc<Progress>) -> Self {
        self.progress = Some(progress);
        self
    }

    fn recipe_name(&self) -> String {
        let scripts = [CHECK, INSTALL, ACTIVATE, FINISH].map(|script| script.text);
        let config = config::daemon_json(&self.options, None);
        format!("swarm-{}", digest(scripts.into_iter().chain([config.as_str(), config::UNIT_DROP_IN])))
    }

    /// What the marker file of a machine has that is prepared for this cluster at this address: its certificates
    /// must be this cluster's and name this address, or the machine has to be prepared again.
    fn mark(&self, material: &Material, address: &str) -> Result<String, MaterialError> {
        let identity = digest([material::entry(material, material::CA_CERTIFICATE)?, address]);
        Ok(format!("{} {identity}", self.recipe_name()))
    }

    async fn apply(
        &self,
        session: &Session,
        cluster: &ClusterContext,
        machine: &Name,
        access: &MachineAccess,
    ) -> Result<(), Failure> {
        let step = async |script: Script, variables: &[(&str, &str)]| {
            let on_line = |line: &str| self.report(cluster, machine, script.name, line);
            script.run(session, variables, &on_line).await.map_err(Failure::from)
        };

        let mark = self.mark(&cluster.material, &access.address).map_err(broken_material)?;
        let seen = step(CHECK, &[("MARK", &mark)]).await?.lines;
        if seen.iter().any(|line| line == "prepared") {
            return Ok(());
        }
        let gateway = seen.iter().find_map(|line| line.strip_prefix("gateway=")).filter(|gateway| !gateway.is_empty());

        if gateway.is_none() && self.options.names_gateway() {
            let message = "the machine has no default gateway that `{gateway}` in the registries could stand for";
            return Err(Failure::not_applied(ErrorCode::Preparation, message)
                .with_remedy("give the machines a default route, or name the registries by their own addresses"));
        }

        step(INSTALL, &[]).await?;

        let identity = self.server_identity(cluster, machine, access)?;
        let authority = material::entry(&cluster.material, material::CA_CERTIFICATE).map_err(broken_material)?;
        let files = [
            (config::CA_PATH, 0o644, Bytes::from(authority.to_owned())),
            (config::CERTIFICATE_PATH, 0o644, Bytes::from(identity.certificate_pem)),
            (config::KEY_PATH, 0o600, secret_bytes(&identity.key_pem)),
            (config::DAEMON_PATH, 0o644, Bytes::from(config::daemon_json(&self.options, gateway))),
            (config::UNIT_DROP_IN_PATH, 0o644, Bytes::from_static(config::UNIT_DROP_IN.as_bytes())),
        ];
        for (path, mode, content) in files {
            session.upload(path, mode, content).await?;
        }

        step(ACTIVATE, &[]).await?;
        docker_engine::wait_until_it_answers(&cluster.material, &access.address, ENGINE_PORT, ENGINE_START_LIMIT)
            .await?;
        step(FINISH, &[("MARK", &mark)]).await?;
        Ok(())
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

    fn report(&self, cluster: &ClusterContext, machine: &Name, step: &str, line: &str) {
        tracing::debug!(cluster = %cluster.name(), %machine, step, "{line}");
        if let Some(progress) = &self.progress {
            progress(cluster, machine, step, line);
        }
    }
}

#[async_trait]
impl Preparer for SwarmPreparer {
    fn validate(&self, spec: &ClusterSpec) -> Result<(), Error> {
        if spec.version.is_none() {
            return Ok(());
        }
        Err(Error::unsupported("version", "swarm")
            .with_remedy("leave `version` out; machines get their distribution's Docker Engine"))
    }

    fn material(&self, spec: &ClusterSpec) -> Result<Material, Failure> {
        material::create(&spec.name).map_err(broken_material)
    }

    fn recipe(&self, _spec: &ClusterSpec) -> String {
        self.recipe_name()
    }

    /// Manager or worker makes no difference to the machine: it is the handler that makes it one.
    async fn prepare(
        &self,
        cluster: &ClusterContext,
        machine: &Name,
        _role: Role,
        access: &MachineAccess,
    ) -> Result<(), Failure> {
        let login_key = material::entry(&cluster.material, material::SSH_KEY).map_err(broken_material)?;
        let session = Session::open(access, login_key, self.options.boot_limit).await?;
        let applied = self.apply(&session, cluster, machine, access).await;
        session.close().await;
        applied
    }
}

/// A copy that is wiped when it was sent.
fn secret_bytes(secret: &SecretString) -> Bytes {
    Bytes::from_owner(Zeroizing::new(secret.expose().as_bytes().to_vec()))
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
        let name = |options| SwarmPreparer::new(options).recipe_name();
        let base = name(options("a:5000"));
        assert_eq!(base, name(options("a:5000")));
        assert_ne!(base, name(options("b:5000")));
        assert_eq!(base, name(PreparerOptions { boot_limit: Duration::ZERO, ..options("a:5000") }));
        assert!(base.strip_prefix("swarm-").is_some_and(|digest| digest.len() == 8), "{base}");
    }

    #[test]
    fn a_machine_of_another_cluster_or_address_does_not_count_as_prepared() {
        let preparer = SwarmPreparer::new(PreparerOptions::default());
        let cluster = "demo".parse().unwrap();
        let (one, other) = (material::create(&cluster).unwrap(), material::create(&cluster).unwrap());
        let mark = preparer.mark(&one, "10.0.0.1").unwrap();
        assert_eq!(mark, preparer.mark(&one, "10.0.0.1").unwrap());
        assert_ne!(mark, preparer.mark(&other, "10.0.0.1").unwrap());
        assert_ne!(mark, preparer.mark(&one, "10.0.0.2").unwrap());
    }
}
