//! Asking a cluster's supervisor for a change, which alone may make it.

use std::time::Duration;

use muster_protocol::model::operation::OperationInfo;
use muster_protocol::{Error, ErrorCode, Name, Response};
use ractor::rpc::CallResult;
use ractor::{ActorRef, MessagingErr};
use tokio::time::{Instant, sleep};

use super::context::{Context, stopping, unanswered};
use super::idempotency::{self, Beginning, Keyed, New};
use super::roles::Caller;
use crate::board::Pinned;
use crate::cluster::intent::{Intent, Wish};
use crate::cluster::message::SupervisorMessage;

/// How long a supervisor that is starting (again) is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// Has a change of a cluster made, and answers with its operation.
pub async fn for_change(
    context: &Context,
    caller: &Caller,
    keyed: Option<Keyed>,
    cluster: &Name,
    wish: Wish,
) -> Result<Response, Error> {
    let New { answer, turn } = match idempotency::begin(context, caller, keyed).await? {
        Beginning::Known(operation) => return Ok(Response::Operation(*operation)),
        Beginning::New(new) => new,
    };
    let intent = Intent { wish, asked: context.asked(caller), answer, turn };
    let found = || context.provisioner.shared.board.cluster(cluster);
    Ok(Response::Operation(hand_over(context, cluster, found, intent).await?))
}

/// Hands an intent to the supervisor of the cluster of this name, which `found` finds. So many may wait for each.
pub async fn hand_over(
    context: &Context,
    cluster: &Name,
    found: impl Fn() -> Result<Pinned, Error>,
    mut intent: Intent,
) -> Result<OperationInfo, Error> {
    let _permit = context.changes.try_take(cluster).ok_or_else(|| {
        Error::new(ErrorCode::Busy, format!("too many changes of cluster `{cluster}` are waiting"))
            .with_remedy("ask again in a moment")
            .retry_later()
    })?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let supervisor = supervisor(context, &found, deadline).await?;
        let ask = |reply| SupervisorMessage::Asked(Box::new(intent), reply);
        match supervisor.call(ask, Some(context.limits.change)).await {
            Ok(CallResult::Success(answer)) => return answer,
            Ok(CallResult::Timeout) => return Err(unanswered("the cluster's supervisor does not answer")),
            Ok(CallResult::SenderError) => return Err(unanswered("the cluster's supervisor failed")),
            // It went away before it could read the message: certainly nothing happened. Its successor is asked.
            Err(MessagingErr::SendErr(SupervisorMessage::Asked(unread, _))) => intent = *unread,
            Err(MessagingErr::SendErr(_) | MessagingErr::ChannelClosed | MessagingErr::InvalidActorType) => {
                return Err(unanswered("the cluster's supervisor is gone"));
            }
        }
        sleep(BETWEEN_LOOKS).await;
    }
}

/// The cluster's supervisor, which may be starting just now.
pub async fn supervisor(
    context: &Context,
    found: impl Fn() -> Result<Pinned, Error>,
    deadline: Instant,
) -> Result<ActorRef<SupervisorMessage>, Error> {
    loop {
        if let Some(supervisor) = found()?.supervisor {
            return Ok(supervisor);
        }
        if context.stopping.is_cancelled() {
            return Err(stopping());
        }
        if Instant::now() >= deadline {
            return Err(Error::new(ErrorCode::Unavailable, "the cluster's supervisor is not running")
                .with_remedy("ask again in a moment; if it stays so, the daemon's log says why")
                .retry_later());
        }
        sleep(BETWEEN_LOOKS).await;
    }
}

/// Until when a supervisor is waited for.
pub fn patience() -> Instant {
    Instant::now() + PATIENCE
}
