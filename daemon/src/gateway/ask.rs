//! Asking a cluster's supervisor for a change, which alone may make it.

use std::time::Duration;

use muster_engine::failure::Failure;
use muster_protocol::model::operation::OperationInfo;
use muster_protocol::{Error, ErrorCode, Name, Response};
use ractor::rpc::CallResult;
use ractor::{ActorRef, MessagingErr, RpcReplyPort};
use tokio::time::{Instant, sleep};

use super::idempotency::{self, Beginning, Keyed, New};
use super::roles::Caller;
use crate::app::App;
use crate::board::Pinned;
use crate::cluster::intent::{Intent, Wish};
use crate::cluster::message::SupervisorMessage;
use crate::fleet::FleetMessage;
use crate::gateway::refusals::{stopping, unanswered};
use crate::provisioner::as_error;

/// How long a supervisor that is starting (again) is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// Has a change of a cluster made, and answers with its operation.
pub async fn for_change(
    app: &App,
    caller: &Caller,
    keyed: Option<Keyed>,
    cluster: &Name,
    wish: Wish,
) -> Result<Response, Error> {
    let New { answer, turn } = match idempotency::begin(app, caller, keyed).await? {
        Beginning::Known(operation) => return Ok(Response::Operation(*operation)),
        Beginning::New(new) => new,
    };
    let intent = Intent { wish, asked: app.asked(caller), answer, audit: caller.audit.clone(), turn };
    let found = || app.provisioner.shared.board.cluster(cluster);
    Ok(Response::Operation(hand_over(app, cluster, found, intent).await?))
}

/// Hands an intent to the supervisor of the cluster of this name, which `found` finds. So many may wait for each.
pub async fn hand_over(
    app: &App,
    cluster: &Name,
    found: impl Fn() -> Result<Pinned, Error>,
    mut intent: Intent,
) -> Result<OperationInfo, Error> {
    let _permit = app.changes.try_take(cluster).ok_or_else(|| {
        Error::new(ErrorCode::Busy, format!("too many changes of cluster `{cluster}` are waiting"))
            .with_remedy("ask again in a moment")
            .retry_later()
    })?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let supervisor = supervisor(app, cluster, &found, deadline).await?;
        let ask = |reply| SupervisorMessage::Change(Box::new(intent), reply);
        match supervisor.call(ask, Some(app.limits.change)).await {
            Ok(CallResult::Success(answer)) => return answer,
            Ok(CallResult::Timeout) => return Err(lost(cluster, "does not answer")),
            Ok(CallResult::SenderError) => return Err(lost(cluster, "failed")),
            // It went away before it could read the message: certainly nothing happened. Its successor is asked.
            Err(MessagingErr::SendErr(SupervisorMessage::Change(unread, _))) => intent = *unread,
            Err(MessagingErr::SendErr(_) | MessagingErr::ChannelClosed | MessagingErr::InvalidActorType) => {
                return Err(lost(cluster, "is gone"));
            }
        }
        sleep(BETWEEN_LOOKS).await;
    }
}

/// Has the cluster's handler do what changes nothing of the cluster.
pub async fn for_answer<T: Send + 'static>(
    app: &App,
    cluster: &Name,
    message: impl FnOnce(RpcReplyPort<Result<T, Failure>>) -> SupervisorMessage,
) -> Result<T, Error> {
    let found = || app.provisioner.shared.board.cluster(cluster);
    let supervisor = supervisor(app, cluster, found, patience()).await?;
    match supervisor.call(message, Some(app.limits.read)).await {
        Ok(CallResult::Success(answer)) => answer.map_err(as_error),
        Ok(CallResult::Timeout) => Err(Error::new(ErrorCode::Unreachable, "the orchestrator does not answer")
            .with_remedy("see what is wrong with it with `muster cluster info`")
            .retry_later()),
        Ok(CallResult::SenderError) | Err(_) => {
            Err(unavailable(cluster, "the cluster's supervisor is starting again").with_remedy("ask again in a moment"))
        }
    }
}

/// The cluster's supervisor, which may be starting just now.
async fn supervisor(
    app: &App,
    cluster: &Name,
    found: impl Fn() -> Result<Pinned, Error>,
    deadline: Instant,
) -> Result<ActorRef<SupervisorMessage>, Error> {
    let mut is_first_look = true;
    loop {
        let pinned = found()?;
        refuse_if_unmanaged(&pinned)?;
        if let Some(supervisor) = pinned.supervisor {
            return Ok(supervisor);
        }
        // After a start of the daemon its turn may be far off.
        if std::mem::take(&mut is_first_look) {
            let _ = app.fleet.cast(FleetMessage::ResumeFirst(pinned.state.id()));
        }
        if app.stopping.is_cancelled() {
            return Err(stopping());
        }
        if Instant::now() >= deadline {
            return Err(unavailable(cluster, "the cluster's supervisor is not running")
                .with_remedy("ask again in a moment; if it stays so, the daemon's log says why"));
        }
        sleep(BETWEEN_LOOKS).await;
    }
}

/// Refuses what needs a supervisor if the cluster cannot have one now.
pub fn refuse_if_unmanaged(pinned: &Pinned) -> Result<(), Error> {
    let (None, Some(trouble)) = (&pinned.supervisor, &pinned.trouble) else { return Ok(()) };
    let name = &pinned.state.desired().spec.name;
    let message = format!("the daemon cannot take care of cluster `{name}`: {}", trouble.message);
    let mut error = Error::new(ErrorCode::Conflict, message).retry_later();
    error.remedy.clone_from(&trouble.remedy);
    Err(error)
}

/// The detail tells the client library that the daemon itself is well, so that nobody else loses the connection.
fn unavailable(cluster: &Name, message: &str) -> Error {
    Error::new(ErrorCode::Unavailable, message).with_detail("cluster", cluster).retry_later()
}

/// The supervisor has heard of a change, and nobody knows what it made of it.
fn lost(cluster: &Name, how: &str) -> Error {
    unanswered(&format!("the cluster's supervisor {how}")).with_detail("cluster", cluster)
}

/// Until when a supervisor is waited for.
fn patience() -> Instant {
    Instant::now() + PATIENCE
}
