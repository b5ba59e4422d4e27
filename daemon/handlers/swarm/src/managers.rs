//! Finding a manager that answers: any live one will do, and a dead one delays nobody for long.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bollard::models::{JoinTokens, Swarm};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use muster_engine::context::ClusterContext;
use muster_engine::failure::Failure;
use muster_engine::member::Member;
use muster_protocol::model::host::Role;
use muster_protocol::{ErrorCode, Name};

use crate::connect::{Connector, Engine};
use crate::failures::{Answer as _, is_only_a_worker};
use crate::marks;

/// How long one member may take to show that it is a manager.
const PROBE_TIMEOUT: Duration = Duration::from_secs(8);
/// How long the member asked before has for itself, before the next one is asked too.
const HEAD_START: Duration = Duration::from_millis(300);

/// A manager that answered, and the tokens with which machines join.
pub(crate) struct Manager {
    pub(crate) engine: Engine,
    pub(crate) tokens: Option<JoinTokens>,
}

/// Finds managers, and remembers which one answered last.
pub(crate) struct Managers {
    cluster: Arc<ClusterContext>,
    connector: Arc<dyn Connector>,
    last: Mutex<Option<Name>>,
}

impl Managers {
    pub(crate) fn new(cluster: Arc<ClusterContext>, connector: Arc<dyn Connector>) -> Self {
        Self { cluster, connector, last: Mutex::new(None) }
    }

    /// The engine of one machine.
    pub(crate) fn engine(&self, member: &Member) -> Result<Engine, Failure> {
        self.connector.engine(&member.access)
    }

    /// A manager of our swarm that answers and has a leader. Asks the one that answered last first.
    pub(crate) async fn find(&self, members: &[Member]) -> Result<Manager, Failure> {
        let last = self.last().clone();
        let mut candidates: Vec<&Member> = members.iter().filter(|member| member.role == Role::ControlPlane).collect();
        candidates.sort_by_key(|member| Some(&member.machine) != last.as_ref());
        let mut probes = FuturesUnordered::new();
        for (place, member) in (0u32..).zip(candidates) {
            probes.push(async move {
                tokio::time::sleep(HEAD_START * place).await;
                (member, self.probe(member).await)
            });
        }
        let mut worst: Option<Failure> = None;
        while let Some((member, probe)) = probes.next().await {
            match probe {
                Ok(manager) => {
                    *self.last() = Some(member.machine.clone());
                    return Ok(manager);
                }
                Err(failure) => worst = Some(more_telling(worst, failure)),
            }
        }
        Err(worst.unwrap_or_else(|| {
            Failure::not_applied(ErrorCode::Unreachable, "no control-plane machine is there that could be asked")
        }))
    }

    /// Reading the swarm's own record goes through consensus, so an answer proves both role and quorum.
    async fn probe(&self, member: &Member) -> Result<Manager, Failure> {
        let what = format!("ask {} for the swarm", member.machine);
        let engine = self.engine(member)?;
        let swarm = match tokio::time::timeout(PROBE_TIMEOUT, engine.api().inspect_swarm()).await {
            Ok(Err(error)) if is_only_a_worker(&error) => return Err(demoted(&member.machine)),
            Ok(answer) => answer.reading(&what)?,
            Err(_) => {
                return Err(Failure::not_applied(ErrorCode::Unreachable, format!("{what}: no answer in time")));
            }
        };
        if !marks::are_ours(&self.cluster, labels(&swarm)) {
            return Err(foreign_swarm(&member.machine));
        }
        Ok(Manager { engine, tokens: swarm.join_tokens })
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Option<Name>> {
        // The value is whole at any time, so a panic elsewhere does not spoil it.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The labels on a swarm.
pub(crate) fn labels(swarm: &Swarm) -> Option<&marks::Labels> {
    swarm.spec.as_ref().and_then(|spec| spec.labels.as_ref())
}

/// The machine is in a swarm that is not ours.
pub(crate) fn foreign_swarm(machine: &Name) -> Failure {
    Failure::not_applied(ErrorCode::Conflict, format!("{machine} is a member of another swarm"))
        .permanent()
        .with_remedy(format!(
            "if that swarm is not needed, run `docker swarm leave --force` on {machine}, then `muster cluster retry`"
        ))
}

/// The machine is a node of a swarm, but manages it no more. The answer only if nobody else manages it either.
fn demoted(machine: &Name) -> Failure {
    Failure::not_applied(ErrorCode::QuorumLost, format!("no manager answers, and {machine} is only a worker now"))
        .with_remedy(
            "bring back the machines that manage the swarm; if they are lost, delete the cluster and create it again",
        )
}

/// Of several members' failures, the one that says most about the cluster.
fn more_telling(one: Option<Failure>, other: Failure) -> Failure {
    let rank = |failure: &Failure| match failure.code {
        ErrorCode::QuorumLost => 3,
        ErrorCode::Conflict | ErrorCode::Credentials => 2,
        ErrorCode::Unreachable => 0,
        ErrorCode::InvalidArgument
        | ErrorCode::NotFound
        | ErrorCode::AlreadyExists
        | ErrorCode::Unsupported
        | ErrorCode::PermissionDenied
        | ErrorCode::IdempotencyMismatch
        | ErrorCode::Busy
        | ErrorCode::Unavailable
        | ErrorCode::Protocol
        | ErrorCode::VersionMismatch
        | ErrorCode::Internal
        | ErrorCode::Store
        | ErrorCode::Quota
        | ErrorCode::Throttled
        | ErrorCode::Provider
        | ErrorCode::Preparation
        | ErrorCode::Orchestrator
        | ErrorCode::Unhealthy
        | ErrorCode::DeadlineExceeded
        | ErrorCode::Cancelled
        | ErrorCode::Superseded
        | ErrorCode::Unknown(_) => 1,
    };
    match one {
        Some(one) if rank(&one) >= rank(&other) => one,
        Some(_) | None => other,
    }
}
