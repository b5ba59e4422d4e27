//! `--wait` and `operation watch`: an operation watched to its end.
//!
//! ```text
//!             change            ended: succeeded ──► exit 0
//!            ┌──────┐          ┌────────────────
//!  begun ──► watching ─────────┤ ended otherwise ──► error, cause, remedy; the operation's exit code
//!            │      │          └────────────────
//!            │      └── Ctrl-C ──► how to come back; exit 130, the operation goes on
//!            └── the daemon is gone for good ──► how to come back; exit 6, the operation goes on
//! ```

use std::io::{self, IsTerminal, Write};

use futures::{StreamExt, TryStreamExt};
use muster_client::{Client, ItemStream};
use muster_protocol::model::operation::{OperationInfo, OperationPhase};
use muster_protocol::{ErrorCode, OperationId};

use super::change::title;
use super::context::Context;
use super::exit::Exit;
use super::failure::{Failure, Result};
use super::progress::Progress;
use super::table;

/// Watches an operation that was just begun, prints it as it ended, and fails if it did.
pub async fn until_end(context: &mut Context, client: &Client, begun: OperationInfo) -> Result<()> {
    let id = begun.id;
    // The daemon's first word may be the same as its answer: seen already.
    let seen = futures::stream::once(async { Ok(begun) });
    watch(context, id, seen.chain(client.operation_watch(id)).boxed()).await
}

/// Watches an operation, prints it as it ended, and fails if it did.
pub async fn watch(context: &mut Context, id: OperationId, changes: ItemStream<OperationInfo>) -> Result<()> {
    let mut progress = Progress::new(io::stderr().is_terminal(), context.styled_errors());
    let ended = tokio::select! {
        biased; // so that Ctrl-C is heard before anything is shown
        signal = tokio::signal::ctrl_c() => {
            progress.finish();
            if let Err(problem) = signal {
                // Without the handler Ctrl-C would end this process unheard, and that is all that can be done.
                return Err(come_back(problem.into(), id));
            }
            let _nobody_reads = writeln!(
                io::stderr(),
                "interrupted: operation {id} goes on; come back to it with `muster operation watch {id}`"
            );
            return Err(Failure::Said(Exit::Interrupted));
        }
        ended = last_of(changes, &mut progress) => ended,
    };
    progress.finish();
    conclude(context, ended.map_err(|failure| come_back(failure, id))?)
}

async fn last_of(mut changes: ItemStream<OperationInfo>, progress: &mut Progress) -> Result<OperationInfo> {
    while let Some(operation) = changes.try_next().await? {
        if operation.phase.is_ended() {
            return Ok(operation);
        }
        progress.show(&operation);
    }
    let message = "the daemon ended the watch of an operation that has not ended";
    Err(muster_protocol::Error::new(ErrorCode::Protocol, message).into())
}

fn conclude(context: &mut Context, ended: OperationInfo) -> Result<()> {
    let succeeded = ended.phase == OperationPhase::Succeeded;
    if succeeded || context.output.format != super::output::Format::Table {
        context.output.said(&ended, || said_of(&ended))?;
    }
    if succeeded { Ok(()) } else { Err(Failure::Operation(Box::new(ended))) }
}

/// What is said of an operation that succeeded.
fn said_of(ended: &OperationInfo) -> String {
    let took = ended.ended_at.map(|at| format!(" in {}", table::duration(at.since(ended.created_at))));
    format!("{} succeeded{}", title(ended), took.unwrap_or_default())
}

/// Adds how to come back to what could not be watched to its end.
fn come_back(failure: Failure, id: OperationId) -> Failure {
    match failure {
        Failure::Refused(mut error) => {
            let before = error.remedy.take().map(|remedy| remedy + "; ").unwrap_or_default();
            error.remedy = Some(format!("{before}come back to the operation with `muster operation watch {id}`"));
            error.details.insert("operation".to_owned(), id.to_string());
            Failure::Refused(error)
        }
        Failure::Operation(_) | Failure::Said(_) | Failure::ReaderGone => failure,
    }
}
