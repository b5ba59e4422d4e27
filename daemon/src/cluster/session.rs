//! The session of a cluster's handler: run for as long as the cluster is supervised, and what it reaches of the supervisor.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use muster_engine::failure::Failure;
use muster_engine::handler::Handler;
use muster_engine::member::Member;
use muster_engine::session::{Kept, SessionHost};
use muster_protocol::{ErrorCode, Name};
use ractor::ActorRef;
use ractor::rpc::CallResult;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;
use tracing::warn;

use super::message::SupervisorMessage;

/// The delay before a session that ended is started again; it doubles with each that ended soon.
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(30);
/// A session that lasted so long was well: the delay begins anew.
const WELL_AFTER: Duration = Duration::from_secs(60);

/// The supervisor as a session reaches it.
struct Host {
    supervisor: ActorRef<SupervisorMessage>,
    members: watch::Receiver<Vec<Member>>,
}

#[async_trait]
impl SessionHost for Host {
    fn look_now(&self) {
        // Without a supervisor nobody looks, and the next one looks first of all.
        let _ = self.supervisor.cast(SupervisorMessage::LookNow);
    }

    fn members(&self) -> watch::Receiver<Vec<Member>> {
        self.members.clone()
    }

    async fn keep(&self, key: &str, value: Option<Kept>) -> Result<(), Failure> {
        self.ask(|reply| SupervisorMessage::Keep(key.to_owned(), value, reply)).await
    }
}

impl Host {
    async fn ask<T: Send + 'static>(
        &self,
        message: impl FnOnce(ractor::RpcReplyPort<Result<T, Failure>>) -> SupervisorMessage,
    ) -> Result<T, Failure> {
        match self.supervisor.call(message, None).await {
            Ok(CallResult::Success(answer)) => answer,
            // The supervisor ended in between: the next one says what is on disk.
            Ok(CallResult::Timeout | CallResult::SenderError) | Err(_) => {
                Err(Failure::maybe_applied(ErrorCode::Unavailable, "the cluster's supervisor gave no answer"))
            }
        }
    }
}

/// Runs sessions of this handler, one after the other, until the handle is dropped.
pub(super) fn start(
    cluster: Name,
    handler: Arc<dyn Handler>,
    supervisor: ActorRef<SupervisorMessage>,
    members: watch::Receiver<Vec<Member>>,
) -> AbortOnDropHandle<()> {
    let host = Arc::new(Host { supervisor, members });
    AbortOnDropHandle::new(tokio::spawn(run(cluster, handler, host)))
}

async fn run(cluster: Name, handler: Arc<dyn Handler>, host: Arc<Host>) {
    let mut delay = FIRST_DELAY;
    loop {
        let began = Instant::now();
        // A task of its own, so that a panic in it is an end like others and not a silence.
        let session = AbortOnDropHandle::new(tokio::spawn(one(handler.clone(), host.clone())));
        let cause = session.await.map_or_else(|_| "a mistake in Muster".to_owned(), |failure| failure.message);
        warn!(%cluster, %cause, "the handler's session ended");
        if began.elapsed() >= WELL_AFTER {
            delay = FIRST_DELAY;
        }
        sleep(delay).await;
        delay = (delay * 2).min(LONGEST_DELAY);
    }
}

async fn one(handler: Arc<dyn Handler>, host: Arc<Host>) -> Failure {
    let kept: Result<BTreeMap<String, Kept>, Failure> = host.ask(SupervisorMessage::Kept).await;
    match kept {
        Ok(kept) => handler.session(host, kept).await,
        Err(failure) => failure,
    }
}
