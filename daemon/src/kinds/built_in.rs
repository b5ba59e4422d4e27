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
            Infrastructure::Local => {
                let mut options = self.local.clone();
                if let Some(socket) = account.and_then(|account| account.info.endpoint.clone()) {
                    options.docker_socket = socket.into();
                }
                Ok(Arc::new(LocalDriver::new(options)))
            }
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
