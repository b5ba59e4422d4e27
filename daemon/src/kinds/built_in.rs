//! The orchestrators and infrastructures of this build. The only file that lists them by name: a new one is a crate and a line here.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use muster_driver_local::{LocalDriver, LocalOptions};
use muster_engine::context::ClusterContext;
use muster_engine::driver::Driver;
use muster_engine::handler::Handler;
use muster_engine::preparer::Preparer;
use muster_engine::rollout::{OneAfterTheOther, Rollout};
use muster_engine::sim::SimWorld;
use muster_handler_kubernetes::KubernetesHandler;
use muster_handler_kubernetes::registry::{AskedRegistries, Registries, Unasked};
use muster_handler_kubernetes::rollout::KubernetesRollout;
use muster_handler_swarm::SwarmHandler;
use muster_protocol::model::cluster::{Infrastructure, Orchestrator};
use muster_protocol::{Error, ErrorCode};
use muster_provision::kubernetes::KubernetesOptions;
use muster_provision::logins::Logins;
use muster_provision::machines::SshMachines;
use muster_provision::{KubernetesPreparer, PreparerOptions, SwarmPreparer};

use super::ec2::Ec2Accounts;
use super::hosts::HostsAccounts;
use super::{Account, Kinds};

/// What this build has.
pub struct BuiltIn {
    /// Options of the `local` infrastructure.
    pub local: LocalOptions,
    /// Options of machine preparation.
    pub preparation: PreparerOptions,
    /// Defaults of the options of Kubernetes clusters.
    pub kubernetes: BTreeMap<String, String>,
    /// Logins where machines get their orchestrator from.
    pub logins: Logins,
    /// The world of the simulated twins.
    pub sim: SimWorld,
    /// The drivers of accounts at EC2.
    pub ec2: Ec2Accounts,
    /// The drivers of accounts of hosts.
    pub hosts: HostsAccounts,
}

#[async_trait]
impl Kinds for BuiltIn {
    async fn opened(&self) -> Result<(), Error> {
        self.sim.opened().await.map_err(|cause| Error::new(ErrorCode::Internal, cause))
    }

    fn driver(&self, infrastructure: Infrastructure, account: Option<&Account>) -> Result<Arc<dyn Driver>, Error> {
        match infrastructure {
            Infrastructure::Local => Ok(Arc::new(LocalDriver::new(self.local_options(account)))),
            Infrastructure::Sim => Ok(self.sim.driver()),
            Infrastructure::Ec2 => self.ec2.driver(account),
            Infrastructure::Hosts => self.hosts.driver(account),
            Infrastructure::ClouditVm | Infrastructure::ClouditBaremetal | Infrastructure::Unknown(_) => {
                Err(missing("infrastructure", infrastructure))
            }
        }
    }

    fn preparer(&self, orchestrator: Orchestrator, infrastructure: Infrastructure) -> Result<Arc<dyn Preparer>, Error> {
        refuse_odd_pair(orchestrator, infrastructure)?;
        match orchestrator {
            Orchestrator::Swarm => Ok(Arc::new(SwarmPreparer::new(self.preparation.clone()))),
            Orchestrator::Kubernetes => {
                let preparer = KubernetesPreparer::new(self.kubernetes.clone(), self.preparation.boot_limit);
                Ok(Arc::new(preparer.with_logins(self.logins.clone())))
            }
            Orchestrator::Sim => Ok(self.sim.preparer()),
            Orchestrator::Mesos | Orchestrator::Unknown(_) => Err(missing("orchestrator", orchestrator)),
        }
    }

    fn rollout(&self, orchestrator: Orchestrator) -> Result<Arc<dyn Rollout>, Error> {
        match orchestrator {
            Orchestrator::Swarm | Orchestrator::Sim => Ok(Arc::new(OneAfterTheOther)),
            Orchestrator::Kubernetes => Ok(Arc::new(KubernetesRollout)),
            Orchestrator::Mesos | Orchestrator::Unknown(_) => Err(missing("orchestrator", orchestrator)),
        }
    }

    fn handler(&self, context: Arc<ClusterContext>) -> Result<Arc<dyn Handler>, Error> {
        refuse_odd_pair(context.spec.orchestrator, context.spec.infrastructure)?;
        match context.spec.orchestrator {
            Orchestrator::Swarm => Ok(Arc::new(SwarmHandler::new(context))),
            Orchestrator::Kubernetes => {
                let machines = SshMachines::new(&context, self.preparation.boot_limit).map_err(|error| {
                    Error::new(ErrorCode::Store, format!("the cluster's keys cannot be used: {error}"))
                })?;
                let registries = self.registries(&context);
                Ok(Arc::new(KubernetesHandler::new(context, Arc::new(machines)).asking(registries)))
            }
            Orchestrator::Sim => Ok(self.sim.handler(context)),
            Orchestrator::Mesos | Orchestrator::Unknown(_) => Err(missing("orchestrator", context.spec.orchestrator)),
        }
    }
}

impl BuiltIn {
    /// Whom a Kubernetes cluster's handler asks what the tags of images mean.
    fn registries(&self, context: &ClusterContext) -> Arc<dyn Registries> {
        match KubernetesOptions::asked_registries(&context.spec, &self.kubernetes) {
            Ok(Some(insecure)) => Arc::new(AskedRegistries::new(insecure)),
            // What cannot be read was refused when the cluster was created.
            Ok(None) | Err(_) => Arc::new(Unasked),
        }
    }

    /// What an account says goes before what is configured.
    fn local_options(&self, account: Option<&Account>) -> LocalOptions {
        let mut options = self.local.clone();
        let Some(Account { info, credentials: _ }) = account else { return options };
        if let Some(socket) = &info.endpoint {
            options.docker_socket = socket.into();
        }
        if let Some(image) = info.defaults.get("image") {
            options.image = Some(image.clone());
        }
        options
    }
}

/// A simulated machine runs no real orchestrator, and a simulated orchestrator needs no real machine.
fn refuse_odd_pair(orchestrator: Orchestrator, infrastructure: Infrastructure) -> Result<(), Error> {
    if (orchestrator == Orchestrator::Sim) == (infrastructure == Infrastructure::Sim) {
        return Ok(());
    }
    Err(Error::unsupported(
        "orchestrator",
        format_args!("infrastructure `{infrastructure}` with orchestrator `{orchestrator}`"),
    )
    .with_remedy("`sim` goes with `sim` only"))
}

fn missing(field: &str, kind: impl std::fmt::Display) -> Error {
    Error::new(ErrorCode::Unsupported, format!("this build of Muster has no {field} `{kind}`"))
        .with_detail("field", field)
        .with_remedy("orchestrators: kubernetes, swarm, sim; infrastructures: local, hosts, ec2, sim")
}

#[cfg(test)]
mod tests {
    use muster_engine::sim::SimOptions;
    use muster_protocol::Timestamp;
    use muster_protocol::model::account::AccountInfo;

    use super::*;

    #[test]
    fn what_an_account_says_goes_before_what_is_configured() {
        let local = LocalOptions { image: Some("configured".to_owned()), ..LocalOptions::default() };
        let kinds = BuiltIn {
            local,
            preparation: PreparerOptions::default(),
            kubernetes: BTreeMap::new(),
            logins: Logins::default(),
            sim: SimWorld::new(SimOptions::default()),
            ec2: Ec2Accounts::default(),
            hosts: HostsAccounts::new(std::path::PathBuf::new()),
        };
        let account = |endpoint: Option<&str>, image: Option<&str>| Account {
            info: AccountInfo {
                name: "main".parse().unwrap(),
                infrastructure: Infrastructure::Local,
                endpoint: endpoint.map(str::to_owned),
                credentials: Vec::new(),
                defaults: image.map(|image| ("image".to_owned(), image.to_owned())).into_iter().collect(),
                clusters: 0,
                created_at: Timestamp::default(),
            },
            credentials: BTreeMap::new(),
        };
        let seen = |account: Option<&Account>| {
            let LocalOptions { docker_socket, image, .. } = kinds.local_options(account);
            (docker_socket.display().to_string(), image.unwrap())
        };
        let configured = ("/var/run/docker.sock".to_owned(), "configured".to_owned());
        assert_eq!(seen(None), configured);
        assert_eq!(seen(Some(&account(None, None))), configured);
        let own = account(Some("/run/other.sock"), Some("own:1"));
        assert_eq!(seen(Some(&own)), ("/run/other.sock".to_owned(), "own:1".to_owned()));
    }
}
