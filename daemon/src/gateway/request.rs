//! One request of a connection, from dispatch to its last frame.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use muster_engine::duplex::Duplex;
use muster_protocol::credit::Window;
use muster_protocol::duplex::INPUT_WINDOW;
use muster_protocol::hello::FEATURE_DUPLEX;
use muster_protocol::request::RequiredRole;
use muster_protocol::{
    Asker, Error, ErrorCode, Principal, PrincipalKind, Request, RequestId, ServerFrame, StreamInput,
};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::{debug, info};

use super::audit;
use super::connection::{Connection, Place, Running};
use super::dispatch;
use super::outbox::SessionOver;
use super::refusals::{broken_off, stopping};
use super::reply::{Dispatched, Items, ReplyBody, Work};
use super::roles::Caller;
use crate::provisioner::as_error;

/// What is known of a request once it is dispatched.
#[derive(Clone, Copy)]
struct InFlightRequest {
    id: RequestId,
    operation: &'static str,
    required_role: RequiredRole,
    is_audited: bool,
    is_stream: bool,
    began: Instant,
}

impl InFlightRequest {
    /// A stream that takes input changes nothing that Muster keeps, and ends with its caller.
    fn is_change(self) -> bool {
        self.is_audited && !self.is_stream
    }
}

/// Answers a request that needs no waiting, in the task of the connection: a task of its own would cost more than most
/// reads do. Any other request gets one. Whoever calls this flushes the outbox.
pub(super) async fn begin(
    connection: &Arc<Connection>,
    id: RequestId,
    asker: Option<Asker>,
    request: Request,
) -> Result<(), SessionOver> {
    let asked = InFlightRequest {
        id,
        operation: request.operation_id(),
        required_role: request.required_role(),
        is_audited: request.is_audited(),
        is_stream: request.is_stream(),
        began: Instant::now(),
    };
    let is_duplex = request.is_duplex();
    let holder = asker.as_ref().map(|asker| &asker.principal).filter(|who| who.kind == PrincipalKind::Token);
    let token = holder.map(|holder| Arc::from(holder.name.as_str()));
    if is_duplex && connection.agreed.features & FEATURE_DUPLEX == 0 {
        return connection.outbox.put(ServerFrame::answer(id, Err(one_way_only()))).await;
    }
    // Only of a trusted user it is believed for whom a change is.
    let user = match &asker {
        Some(asker) if connection.caller.is_trusted => &asker.principal,
        Some(_) | None => &connection.caller.principal,
    };
    let user = asked.is_change().then(|| user.clone());
    match begin_work(connection, asker, request) {
        Dispatched::AtOnce(answer) => {
            let result = answer.as_ref().map(|_| ()).map_err(|error| error.code);
            connection.outbox.put(ServerFrame::answer(id, answer)).await?;
            note(connection, asked, result);
            Ok(())
        }
        Dispatched::Later(work) => {
            let Some(place) = connection.place() else {
                return connection.outbox.put(ServerFrame::answer(id, Err(busy(connection)))).await;
            };
            let Some(work) = with_permit(connection, user, work) else {
                return connection.outbox.put(ServerFrame::answer(id, Err(too_many_changes(connection)))).await;
            };
            let (input, heard) = is_duplex.then(|| mpsc::channel(INPUT_WINDOW as usize)).unzip();
            let running = connection.running(id, asked.is_stream, input, token);
            tokio::spawn(run(connection.clone(), connection.requests.token(), asked, work, running, heard, place));
            Ok(())
        }
    }
}

/// Work that counts among the changes of its user until it is done; none if the user has too many under way. A change
/// goes on without its connection, so the places of connections do not bound it.
fn with_permit(connection: &Connection, user: Option<Principal>, work: Work) -> Option<Work> {
    let Some(user) = user else { return Some(work) };
    let permit = connection.app.changes_of_user.try_take(&user)?;
    Some(Box::pin(async move {
        let _permit = permit;
        work.await
    }))
}

fn begin_work(connection: &Connection, asker: Option<Asker>, request: Request) -> Dispatched {
    if connection.app.stopping.is_cancelled() {
        return Dispatched::AtOnce(Err(stopping()));
    }
    let app = &connection.app;
    let known = match &asker {
        None => Ok(connection.caller.clone()),
        Some(Asker { principal, address }) => {
            let (roles, tokens) = (&app.roles, &app.tokens);
            connection.caller.on_behalf_of(principal.clone(), *address, roles, tokens, app.now())
        }
    };
    if !request.is_audited() {
        return match known {
            Ok(caller) => caught(|| dispatch::dispatch(app, caller, request)),
            Err(refusal) => Dispatched::AtOnce(Err(refusal)),
        };
    }
    let asks = known.clone().unwrap_or_else(|_refusal| claimed(&connection.caller, asker));
    let note = Arc::new(audit::note_of(&asks, &request, app.now()));
    let dispatched = match known {
        Ok(mut caller) => {
            caller.audit = Some(note.clone());
            caught(|| dispatch::dispatch(app, caller, request))
        }
        Err(refusal) => Dispatched::AtOnce(Err(refusal)),
    };
    audit::recorded(app.clone(), note, dispatched)
}

/// Who asked, if not even that could be granted: whom a trusted user named, for what others say of themselves is not told.
fn claimed(by: &Caller, asker: Option<Asker>) -> Caller {
    match asker.filter(|asker| by.is_trusted && asker.principal.check().is_ok()) {
        Some(Asker { principal, address }) => {
            Caller { principal, address, through: Some(by.principal.clone()), ..by.clone() }
        }
        None => by.clone(),
    }
}

/// A panic is an answer too.
fn caught(dispatch: impl FnOnce() -> Dispatched) -> Dispatched {
    catch_unwind(AssertUnwindSafe(dispatch)).unwrap_or_else(|_panic| Dispatched::AtOnce(Err(broken_off())))
}

/// Does what is asked for and sends what comes of it. A change goes on when the caller goes away.
async fn run(
    connection: Arc<Connection>,
    under_way: TaskTrackerToken,
    asked: InFlightRequest,
    work: Work,
    running: Running,
    heard: Option<mpsc::Receiver<StreamInput>>,
    place: Place,
) {
    // The place is given back only when the work is done, so that callers who do not wait are bounded too.
    let placed = async move { work.await.map(|outcome| (outcome, place)) };
    let mut work = Box::pin(AssertUnwindSafe(placed).catch_unwind());
    let mut is_done = false;
    let outcome = async {
        let limits = &connection.app.limits;
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
        result = answer(&connection, asked.id, outcome, &running, heard) => result,
        () = running.cancelled.cancelled() => Ok(Err(ErrorCode::Cancelled)),
    };
    if let Ok(result) = result {
        note(&connection, asked, result);
    }
    // The session need not outlive its last answer for a change that nobody waits for any more.
    drop((connection, under_way));
    if asked.is_change() && !is_done {
        let _nobody_waits = work.await;
    }
}

/// The inner result is for the metrics.
async fn answer(
    connection: &Connection,
    id: RequestId,
    outcome: impl Future<Output = Result<(ReplyBody, Place), Error>>,
    running: &Running,
    heard: Option<mpsc::Receiver<StreamInput>>,
) -> Result<Result<(), ErrorCode>, SessionOver> {
    match outcome.await {
        Ok((ReplyBody::Answer(response), place)) => {
            finish(connection, id, running);
            drop(place);
            connection.outbox.send(ServerFrame::answer(id, Ok(*response))).await?;
            Ok(Ok(()))
        }
        Ok((ReplyBody::Stream(items), place)) => {
            let ended = pass_on(connection, id, items, running).await?;
            end(connection, id, running, place, ended).await
        }
        Ok((ReplyBody::Duplex(Duplex { output, input }), place)) => {
            let items = output.map(|item| item.map_err(as_error)).boxed();
            let ended = tokio::select! {
                ended = pass_on(connection, id, items, running) => ended?,
                over = pass_in(connection, id, heard, input) => return over.map(Ok),
            };
            end(connection, id, running, place, ended).await
        }
        Err(error) => {
            finish(connection, id, running);
            let code = error.code;
            connection.outbox.send(ServerFrame::answer(id, Err(error))).await?;
            Ok(Err(code))
        }
    }
}

async fn end(
    connection: &Connection,
    id: RequestId,
    running: &Running,
    place: Place,
    ended: Result<(), Error>,
) -> Result<Result<(), ErrorCode>, SessionOver> {
    finish(connection, id, running);
    drop(place);
    let code = ended.as_ref().err().map(|error| error.code);
    connection.outbox.send(ServerFrame::end(id, ended)).await?;
    Ok(code.map_or(Ok(()), Err))
}

/// Hands input on as fast as it is taken, and grants the caller as much again. Ends with the session only: when nobody
/// takes input any more, the output says how the stream ends.
async fn pass_in(
    connection: &Connection,
    id: RequestId,
    heard: Option<mpsc::Receiver<StreamInput>>,
    input: mpsc::Sender<StreamInput>,
) -> Result<(), SessionOver> {
    // Only a request that takes input is answered so.
    let Some(mut heard) = heard else { return std::future::pending().await };
    let mut window = Window::new(INPUT_WINDOW);
    connection.outbox.send(ServerFrame::credit(id, window.initial())).await?;
    while let Some(item) = heard.recv().await {
        if input.send(item).await.is_err() {
            break;
        }
        if let Some(more) = window.take() {
            connection.outbox.send(ServerFrame::credit(id, more)).await?;
        }
    }
    drop(input);
    std::future::pending().await
}

/// The last word is about to be said: from then on the caller may use the id again. One that was cancelled is forgotten
/// already, and its id may be in use again.
fn finish(connection: &Connection, id: RequestId, running: &Running) {
    let mut all = connection.lock_running();
    if !running.cancelled.is_cancelled() {
        all.remove(&id);
    }
}

/// For the metrics, and for the log of what stands nowhere else. Who changed a cluster stands in its operations on disk,
/// and a line for each would cost a twentieth of the change.
fn note(connection: &Connection, asked: InFlightRequest, result: Result<(), ErrorCode>) {
    connection.meters.note(asked.operation, asked.began.elapsed(), result);
    if asked.is_change() {
        let (uid, operation) = (connection.caller.uid, asked.operation);
        match result {
            Ok(()) if asked.required_role == RequiredRole::Operate => debug!(uid, operation, "made a change"),
            Ok(()) => info!(uid, operation, "made a change"),
            Err(code) => info!(uid, operation, code = code.as_str(), "was refused a change"),
        }
    }
}

/// Sends items as the caller grants credit, until the stream ends or the daemon stops.
async fn pass_on(
    connection: &Connection,
    id: RequestId,
    mut items: Items,
    running: &Running,
) -> Result<Result<(), Error>, SessionOver> {
    let app = &connection.app;
    let stop = &app.stopping;
    let mut token_ended = pin!(async {
        match &running.token {
            Some(token) => app.tokens.ended(token, &app.provisioner.shared.clock).await,
            None => std::future::pending().await,
        }
    });
    loop {
        let next = tokio::select! {
            next = items.next() => next,
            () = stop.cancelled() => return Ok(Err(stopping())),
            () = &mut token_ended => return Ok(Err(token_over())),
        };
        let item = match next {
            Some(Ok(item)) => item,
            Some(Err(error)) => return Ok(Err(error)),
            None => return Ok(Ok(())),
        };
        tokio::select! {
            () = running.credit.take() => {}
            () = stop.cancelled() => return Ok(Err(stopping())),
            () = &mut token_ended => return Ok(Err(token_over())),
        }
        connection.outbox.send(ServerFrame::item(id, item)).await?;
    }
}

fn token_over() -> Error {
    Error::new(ErrorCode::PermissionDenied, "the token was revoked or has ended").with_remedy("use a token that holds")
}

fn one_way_only() -> Error {
    Error::new(ErrorCode::Unsupported, "this connection has no streams that take input")
        .with_remedy("use a client of the daemon's own release")
}

fn busy(connection: &Connection) -> Error {
    let most = connection.app.limits.requests_per_session;
    Error::new(ErrorCode::Busy, format!("this connection has {most} requests under way"))
        .with_remedy("wait for an answer before asking more")
        .retry_later()
}

fn too_many_changes(connection: &Connection) -> Error {
    let most = connection.app.limits.changes_per_user;
    Error::new(ErrorCode::Busy, format!("{most} changes of this user are under way"))
        .with_remedy("wait until some of them are made, or raise `changes_per_user` in `[limits]`")
        .retry_later()
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
