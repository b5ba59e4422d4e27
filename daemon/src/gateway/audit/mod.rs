//! The audit trail: which requests it tells of is said by `Request::is_audited`.
//!
//! A change has its record in the batch that makes it; the session in a container, in the batch with its event. Whatever
//! else is asked for, and every refusal, has its record on disk before it is answered.

pub mod list;
pub mod verify;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use muster_protocol::{Error, ErrorCode, OperationId, Request, Response, Timestamp};
use muster_store::Batch;
use tracing::error;

use super::reply::{Dispatched, ReplyBody};
use super::roles::Caller;
use crate::app::App;
use crate::gateway::refusals::{broken_off, commit_error, store_error};
use crate::journal::audit_note::AuditNote;
use crate::journal::records::StoredAudit;

/// The most characters of a name that are kept: a refused one may be anything.
const MAX_NAME: usize = 200;

/// The record of a request that this caller makes now.
pub fn note_of(caller: &Caller, request: &Request, now: Timestamp) -> AuditNote {
    let subject = request.subject();
    AuditNote::new(StoredAudit {
        at: now,
        who: caller.principal.clone(),
        through: caller.through.clone(),
        uid: caller.uid,
        pid: caller.pid,
        address: caller.address.map(|address| address.to_string()),
        request: request.operation_id().to_owned(),
        noun: subject.noun.to_owned(),
        cluster: subject.cluster.cloned(),
        name: subject.name.map(|name| name.chars().take(MAX_NAME).collect()),
        refusal: None,
        operation: None,
    })
}

/// Writes what came of a request, unless that stands with what was made.
async fn write(
    app: &App,
    note: &AuditNote,
    refusal: Option<ErrorCode>,
    operation: Option<OperationId>,
) -> Result<(), Error> {
    let Some(record) = note.outcome(refusal, operation) else { return Ok(()) };
    let mut batch = Batch::new();
    batch.append_audit(&record).map_err(store_error)?;
    app.provisioner.shared.journal.write(batch).await.map_err(commit_error)?;
    Ok(())
}

/// The operation that came of a request.
fn operation_of(outcome: &Result<ReplyBody, Error>) -> Option<OperationId> {
    let Ok(ReplyBody::Answer(response)) = outcome else { return None };
    let Response::Operation(operation) = response.as_ref() else { return None };
    Some(operation.id)
}

/// The same, and what comes of it is on record before it is answered.
pub fn recorded(app: Arc<App>, note: Arc<AuditNote>, dispatched: Dispatched) -> Dispatched {
    Dispatched::Later(Box::pin(async move {
        let outcome = match dispatched {
            Dispatched::AtOnce(answer) => answer.map(|response| ReplyBody::Answer(Box::new(response))),
            Dispatched::Later(work) => {
                AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_panic| Err(broken_off()))
            }
        };
        let (refusal, operation) = (outcome.as_ref().err().map(|error| error.code), operation_of(&outcome));
        match (write(&app, &note, refusal, operation).await, outcome) {
            (Ok(()), outcome) => outcome,
            (Err(unwritten), Ok(_)) => Err(unrecorded(&unwritten)),
            // A refusal has changed nothing, and says more than that it could not be recorded.
            (Err(unwritten), Err(refusal)) => {
                error!(cause = %unwritten, refusal = %refusal, "a refusal is not on the audit trail");
                Err(refusal)
            }
        }
    }))
}

fn unrecorded(cause: &Error) -> Error {
    Error::new(ErrorCode::Store, format!("the audit trail could not be written: {}", cause.message))
        .with_remedy("see `muster doctor` and the daemon's log; what was asked for may be so already")
        .maybe_applied()
}
