//! The handler against real Docker Engines. Run with `MUSTER_TEST_DOCKER=1`; needs root and the machine image.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic, and says when it is skipped")]

mod certificates;
mod fields;
mod machines;
mod membership;
mod networks;
mod orders;
mod patience;
mod services;
#[path = "../../../../../tests/src/skip.rs"]
mod skip;
mod streams;
mod volumes;

use std::sync::Arc;

use muster_engine::context::ClusterContext;
use muster_engine::failure::Failure;
use muster_engine::handler::Handler as _;
use muster_engine::member::Member;
use muster_engine::observed::OrchestratorView;
use muster_handler_swarm::SwarmHandler;
use muster_protocol::model::cluster::{ClusterSpec, Infrastructure, Orchestrator};
use muster_protocol::model::host::Role;
use muster_protocol::{ClusterId, ErrorCode, InstanceId, Retry};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::certificates::Authority;
use crate::machines::Machines;
use crate::patience::until;

/// A cluster's machines and the handler for it.
struct Scene {
    machines: Machines,
    handler: SwarmHandler,
    context: Arc<ClusterContext>,
    _turn: SemaphorePermit<'static>,
}

impl Scene {
    /// Starts the machines. Not more than two scenes at a time, as machines are heavy.
    async fn new(cluster: &str, machines: &[(&str, Role)]) -> Self {
        Self::of(spec(cluster), machines).await
    }

    async fn of(spec: ClusterSpec, machines: &[(&str, Role)]) -> Self {
        static TURNS: Semaphore = Semaphore::const_new(2);
        let turn = TURNS.acquire().await.unwrap();
        let authority = Authority::new();
        let context = Arc::new(ClusterContext {
            instance: InstanceId::generate(),
            cluster: ClusterId::generate(),
            spec,
            material: authority.material(),
        });
        let machines = Machines::start(context.spec.name.as_str(), authority, machines).await;
        let handler = SwarmHandler::new(Arc::clone(&context));
        Self { machines, handler, context, _turn: turn }
    }

    /// Starts the machines and makes them one swarm, the first being the one that forms it.
    async fn formed(cluster: &str, machines: &[(&str, Role)]) -> Self {
        Self::formed_of(spec(cluster), machines).await
    }

    async fn formed_of(spec: ClusterSpec, machines: &[(&str, Role)]) -> Self {
        let scene = Self::of(spec, machines).await;
        let members = scene.machines.all();
        insist(async || scene.handler.form(&members[0]).await).await;
        for machine in members {
            insist(async || scene.handler.join(members, machine).await).await;
        }
        scene
    }

    fn members(&self) -> &[Member] {
        self.machines.all()
    }

    /// Observes until what is seen satisfies `enough`.
    async fn observe_until(&self, what: &str, enough: impl Fn(&OrchestratorView) -> bool) -> OrchestratorView {
        until(what, async || match self.handler.observe(self.members()).await {
            Ok(view) if enough(&view) => Ok(view),
            seen => Err(seen),
        })
        .await
    }
}

/// Asks again while the answer is to try again later, as the daemon does: several managers on a slow host may elect a
/// new leader at any time.
async fn insist<T>(mut call: impl AsyncFnMut() -> Result<T, Failure>) -> T {
    until("the answer", async || call().await.map_err(only_for_now)).await
}

/// The refusal with this code. Asks again after any other that is not for good, for the same reason as [`insist`].
async fn refusal<T: std::fmt::Debug>(code: ErrorCode, mut call: impl AsyncFnMut() -> Result<T, Failure>) -> Failure {
    until("the refusal", async || {
        let failure = call().await.unwrap_err();
        if failure.code == code { Ok(failure) } else { Err(only_for_now(failure)) }
    })
    .await
}

fn only_for_now(failure: Failure) -> Failure {
    assert_eq!(failure.retry, Retry::Later, "{failure}");
    failure
}

fn spec(name: &str) -> ClusterSpec {
    ClusterSpec::new(name.parse().unwrap(), Orchestrator::Swarm, Infrastructure::Local)
}

/// A handler for another cluster with the same keys, so that it reaches the machines of this one.
fn handler_of_another_cluster(context: &ClusterContext) -> SwarmHandler {
    let other = ClusterContext { cluster: ClusterId::generate(), ..context.clone() };
    SwarmHandler::new(Arc::new(other))
}
