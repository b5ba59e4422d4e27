//! The orchestrators and infrastructures of this build. The only file that lists them by name: a new one is a crate and a line here.

use std::sync::Arc;

use muster_driver_local::{LocalDriver, LocalOptions};
use muster_engine::context::ClusterContext;
use muster_engine::driver::Driver;
use muster_engine::handler::Handler;
use muster_engine::preparer::Preparer;
use muster_engine::sim::SimWorld;
use muster_handler_swarm::SwarmHandler;
use muster_protocol::model::cluster::{Infrastructure, Orchestrator};
use muster_protocol::{Error, ErrorCode};
use muster_provision::{PreparerOptions, SwarmPreparer};

use super::{Account, Kinds};

/// What this build has.
pub struct BuiltIn {
    /// Options of the `local` infrastructure.
    pub local: LocalOptions,
    /// Options of machine preparation.
    pub preparation: PreparerOptions,
    /// The world of the simulated twins.
    pub sim: SimWorld,
}

impl Kinds for BuiltIn {
    fn driver(&self, infrastructure: Infrastructure, account: Option<&Account>) -> Result<Arc<dyn Driver>, Error> {
        match infrastructure {
            Infrastructure::Local => Ok(Arc::new(LocalDriver::new(self.local_options(account)))),
            Infrastructure::Sim => Ok(self.sim.driver()),
            Infrastructure::Hosts
            | Infrastructure::Ec2
            | Infrastructure::ClouditVm
            | Infrastructure::ClouditBaremetal => Err(missing("infrastructure", infrastructure)),
        }
    }

    fn preparer(&self, orchestrator: Orchestrator, infrastructure: Infrastructure) -> Result<Arc<dyn Preparer>, Error> {
        refuse_odd_pair(orchestrator, infrastructure)?;
        match orchestrator {
            Orchestrator::Swarm => Ok(Arc::new(SwarmPreparer::new(self.preparation.clone()))),
            Orchestrator::Sim => Ok(self.sim.preparer()),
            Orchestrator::Kubernetes | Orchestrator::Mesos => Err(missing("orchestrator", orchestrator)),
        }
    }

    fn handler(&self, context: Arc<ClusterContext>) -> Result<Arc<dyn Handler>, Error> {
        refuse_odd_pair(context.spec.orchestrator, context.spec.infrastructure)?;
        match context.spec.orchestrator {
            Orchestrator::Swarm => Ok(Arc::new(SwarmHandler::new(context))),
            Orchestrator::Sim => Ok(self.sim.handler(context)),
            Orchestrator::Kubernetes | Orchestrator::Mesos => Err(missing("orchestrator", context.spec.orchestrator)),
        }
    }
}

impl BuiltIn {
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
        .with_remedy("orchestrators: swarm, sim; infrastructures: local, sim")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use muster_engine::sim::SimOptions;
    use muster_protocol::Timestamp;
    use muster_protocol::model::account::AccountInfo;

    use super::*;

    #[test]
    fn what_an_account_says_goes_before_what_is_configured() {
        let local = LocalOptions { image: Some("configured".to_owned()), ..LocalOptions::default() };
        let kinds =
            BuiltIn { local, preparation: PreparerOptions::default(), sim: SimWorld::new(SimOptions::default()) };
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
