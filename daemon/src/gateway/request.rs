//! One request of a session, from dispatch to its last frame.

use std::sync::Arc;

use futures::StreamExt;
use muster_protocol::credit::Credit;
use muster_protocol::request::Access;
use muster_protocol::{Error, ErrorCode, Request, RequestId, ServerFrame};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::context::stopping;
use super::dispatch::{self, Items, Outcome};
use super::outbox::SessionOver;
use super::session::Session;

/// The reader's handle to a request under way.
#[derive(Clone)]
pub(super) struct Running {
    /// What a stream may still send.
    pub(super) credit: Credit,
    /// The caller is no longer interested, or gone.
    pub(super) cancelled: CancellationToken,
    /// Whether it goes on until somebody ends it.
    pub(super) is_stream: bool,
}

/// Does what is asked for and sends what comes of it.
pub(super) async fn run(
    session: Arc<Session>,
    id: RequestId,
    request: Request,
    running: Running,
    permit: OwnedSemaphorePermit,
) {
    let (operation, began) = (request.operation_id(), Instant::now());
    let is_change = request.access() != Access::View;
    let cancelled = running.cancelled.clone();
    let result = tokio::select! {
        result = answer(&session, id, request, &running, permit) => result,
        () = cancelled.cancelled() => Ok(Err(ErrorCode::Cancelled)),
    };
    let Ok(result) = result else { return };
    dispatch::note(operation, began, result);
    if is_change {
        let result = result.map_or_else(ErrorCode::as_str, |()| "ok");
        info!(uid = session.caller.uid, operation, result, "asked for a change");
    }
}

/// The inner result is for the metrics.
async fn answer(
    session: &Arc<Session>,
    id: RequestId,
    request: Request,
    running: &Running,
    permit: OwnedSemaphorePermit,
) -> Result<Result<(), ErrorCode>, SessionOver> {
    match perform(session, request, permit).await {
        Ok((Outcome::Answer(response), _permit)) => {
            finish(session, id, running);
            session.outbox.send(ServerFrame::answer(id, Ok(*response))).await?;
            Ok(Ok(()))
        }
        Ok((Outcome::Stream(items), _permit)) => {
            let ended = pass_on(session, id, items, running).await?;
            finish(session, id, running);
            let code = ended.as_ref().err().map(|error| error.code);
            session.outbox.send(ServerFrame::end(id, ended)).await?;
            Ok(code.map_or(Ok(()), Err))
        }
        Err(error) => {
            finish(session, id, running);
            let code = error.code;
            session.outbox.send(ServerFrame::answer(id, Err(error))).await?;
            Ok(Err(code))
        }
    }
}

/// The last word is about to be said: from then on the caller may use the id again. One that was cancelled is forgotten
/// already, and its id may be in use again.
fn finish(session: &Session, id: RequestId, running: &Running) {
    let mut all = session.lock_running();
    if !running.cancelled.is_cancelled() {
        all.remove(&id);
    }
}

/// Performs the request in a task of its own: a change goes on when the caller goes away, and a panic is an answer.
async fn perform(
    session: &Arc<Session>,
    request: Request,
    permit: OwnedSemaphorePermit,
) -> Result<(Outcome, OwnedSemaphorePermit), Error> {
    let context = session.context.clone();
    if context.stopping.is_cancelled() {
        return Err(stopping());
    }
    let is_change = request.access() != Access::View;
    let limit = if is_change { context.limits.change } else { context.limits.read };
    let caller = session.caller.clone();
    let mut task = tokio::spawn(async move {
        let outcome = dispatch::dispatch(&context, &caller, request).await?;
        // Given back only when the work is done, so that callers who do not wait are bounded too.
        Ok((outcome, permit))
    });
    let aborted = AbortOnDrop((!is_change).then(|| task.abort_handle()));
    let joined = tokio::select! {
        joined = &mut task => joined,
        () = sleep(limit) => return Err(too_late(limit, is_change)),
    };
    drop(aborted);
    joined.unwrap_or_else(|_| {
        Err(Error::new(ErrorCode::Internal, "the request broke off by a mistake in Muster")
            .with_remedy("see the daemon's log, and report it"))
    })
}

/// What only looks need not go on without its caller.
struct AbortOnDrop(Option<tokio::task::AbortHandle>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

/// Sends items as the caller grants credit, until the stream ends or the daemon stops.
async fn pass_on(
    session: &Session,
    id: RequestId,
    mut items: Items,
    running: &Running,
) -> Result<Result<(), Error>, SessionOver> {
    let stop = &session.context.stopping;
    loop {
        let next = tokio::select! {
            next = items.next() => next,
            () = stop.cancelled() => return Ok(Err(stopping())),
        };
        let item = match next {
            Some(Ok(item)) => item,
            Some(Err(error)) => return Ok(Err(error)),
            None => return Ok(Ok(())),
        };
        tokio::select! {
            () = running.credit.take() => {}
            () = stop.cancelled() => return Ok(Err(stopping())),
        }
        session.outbox.send(ServerFrame::item(id, item)).await?;
    }
}

fn too_late(limit: std::time::Duration, is_change: bool) -> Error {
    let error = Error::new(ErrorCode::DeadlineExceeded, format!("no answer after {} s", limit.as_secs()));
    if is_change {
        error
            .with_remedy(
                "the change may still be made: ask again with the same idempotency key, or see `muster operation list`",
            )
            .with_detail("maybeApplied", true)
    } else {
        error.with_remedy("ask again; if it stays so, see `muster doctor`")
    }
}
