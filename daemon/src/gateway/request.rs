//! One request of a session, from dispatch to its last frame.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use muster_protocol::credit::Credit;
use muster_protocol::request::Access;
use muster_protocol::{Error, ErrorCode, Request, RequestId, ServerFrame};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::{debug, info};

use super::context::stopping;
use super::dispatch::{self, Dispatched, Items, Outcome, Work};
use super::outbox::SessionOver;
use super::session::{Place, Session};

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

/// What is known of a request once it is dispatched.
#[derive(Clone, Copy)]
struct Asked {
    id: RequestId,
    operation: &'static str,
    access: Access,
    is_stream: bool,
    began: Instant,
}

impl Asked {
    fn is_change(self) -> bool {
        self.access > Access::View
    }
}

/// Answers a request that needs no waiting, in the task of the session: a task of its own would cost more than most
/// reads do. Any other request gets one. Whoever calls this flushes the outbox.
pub(super) async fn begin(session: &Arc<Session>, id: RequestId, request: Request) -> Result<(), SessionOver> {
    let asked = Asked {
        id,
        operation: request.operation_id(),
        access: request.access(),
        is_stream: request.is_stream(),
        began: Instant::now(),
    };
    match begin_work(session, request) {
        Dispatched::AtOnce(answer) => {
            let result = answer.as_ref().map(|_| ()).map_err(|error| error.code);
            session.outbox.put(ServerFrame::answer(id, answer)).await?;
            note(session, asked, result);
            Ok(())
        }
        Dispatched::Later(work) => {
            let Some(place) = session.place() else {
                return session.outbox.put(ServerFrame::answer(id, Err(busy(session)))).await;
            };
            let running = session.running(id, asked.is_stream);
            tokio::spawn(run(session.clone(), session.requests.token(), asked, work, running, place));
            Ok(())
        }
    }
}

fn begin_work(session: &Session, request: Request) -> Dispatched {
    if session.context.stopping.is_cancelled() {
        return Dispatched::AtOnce(Err(stopping()));
    }
    caught(|| dispatch::dispatch(&session.context, session.caller, request))
}

/// A panic is an answer too.
fn caught(dispatch: impl FnOnce() -> Dispatched) -> Dispatched {
    catch_unwind(AssertUnwindSafe(dispatch)).unwrap_or_else(|_panic| Dispatched::AtOnce(Err(broken_off())))
}

/// Does what is asked for and sends what comes of it. A change goes on when the caller goes away.
async fn run(
    session: Arc<Session>,
    under_way: TaskTrackerToken,
    asked: Asked,
    work: Work,
    running: Running,
    place: Place,
) {
    // The place is given back only when the work is done, so that callers who do not wait are bounded too.
    let placed = async move { work.await.map(|outcome| (outcome, place)) };
    let mut work = Box::pin(AssertUnwindSafe(placed).catch_unwind());
    let mut is_done = false;
    let outcome = async {
        let limits = &session.context.limits;
        let limit = if asked.is_change() { limits.change } else { limits.read };
        let outcome = tokio::select! {
            biased;
            outcome = &mut work => outcome,
            () = sleep(limit) => return Err(too_late(limit, asked.is_change())),
        };
        is_done = true;
        outcome.unwrap_or_else(|_panic| Err(broken_off()))
    };
    let result = tokio::select! {
        result = answer(&session, asked.id, outcome, &running) => result,
        () = running.cancelled.cancelled() => Ok(Err(ErrorCode::Cancelled)),
    };
    if let Ok(result) = result {
        note(&session, asked, result);
    }
    // The session need not outlive its last answer for a change that nobody waits for any more.
    drop((session, under_way));
    if asked.is_change() && !is_done {
        let _nobody_waits = work.await;
    }
}

/// The inner result is for the metrics.
async fn answer(
    session: &Session,
    id: RequestId,
    outcome: impl Future<Output = Result<(Outcome, Place), Error>>,
    running: &Running,
) -> Result<Result<(), ErrorCode>, SessionOver> {
    match outcome.await {
        Ok((Outcome::Answer(response), place)) => {
            finish(session, id, running);
            drop(place);
            session.outbox.send(ServerFrame::answer(id, Ok(*response))).await?;
            Ok(Ok(()))
        }
        Ok((Outcome::Stream(items), place)) => {
            let ended = pass_on(session, id, items, running).await?;
            finish(session, id, running);
            drop(place);
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

/// For the metrics, and for the log of what stands nowhere else. Who changed a cluster stands in its operations on disk,
/// and a line for each would cost a twentieth of the change.
fn note(session: &Session, asked: Asked, result: Result<(), ErrorCode>) {
    session.meters.note(asked.operation, asked.began.elapsed(), result);
    if asked.is_change() {
        let (uid, operation) = (session.caller.uid, asked.operation);
        match result {
            Ok(()) if asked.access == Access::Operate => debug!(uid, operation, "made a change"),
            Ok(()) => info!(uid, operation, "made a change"),
            Err(code) => info!(uid, operation, code = code.as_str(), "was refused a change"),
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

fn busy(session: &Session) -> Error {
    let most = session.context.limits.requests_per_session;
    Error::new(ErrorCode::Busy, format!("this connection has {most} requests under way"))
        .with_remedy("wait for an answer before asking more")
        .retry_later()
}

fn broken_off() -> Error {
    Error::new(ErrorCode::Internal, "the request broke off by a mistake in Muster")
        .with_remedy("see the daemon's log, and report it")
}

fn too_late(limit: Duration, is_change: bool) -> Error {
    let error = Error::new(ErrorCode::DeadlineExceeded, format!("no answer after {} s", limit.as_secs()));
    if is_change {
        error
            .with_remedy(
                "the change may still be made: ask again with the same idempotency key, or see `muster operation list`",
            )
            .maybe_applied()
    } else {
        error.with_remedy("ask again; if it stays so, see `muster doctor`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_in_what_is_answered_at_once_is_an_answer() {
        let Dispatched::AtOnce(Err(error)) = caught(|| panic!("a mistake")) else { panic!("no answer") };
        assert_eq!(error.code, ErrorCode::Internal);
    }
}
