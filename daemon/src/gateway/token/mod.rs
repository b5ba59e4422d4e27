//! Tokens: what remote callers show to the HTTP bridge. The bridge has the daemon say what a token grants, and the daemon
//! holds every request for its holder against it, so that one which is revoked or has ended is refused at once.

pub mod book;
pub mod create;
pub mod list;
pub mod resolve;
pub mod revoke;

use muster_protocol::Error;
use muster_protocol::model::event::EventKind;
use muster_store::Batch;

use super::roles::Caller;
use crate::app::App;
use crate::gateway::refusals::{commit_error, store_error};
use crate::journal::records::StoredEvent;

/// Writes a change of the list, with the event and the audit record that tell of it.
async fn write(app: &App, mut batch: Batch, caller: &Caller, message: String) -> Result<(), Error> {
    let event = StoredEvent {
        at: app.now(),
        kind: EventKind::Token,
        cluster: None,
        operation: None,
        service: None,
        who: Some(caller.principal.clone()),
        message,
        cause: None,
    };
    batch.append_event(&event).map_err(store_error)?;
    if let Some(note) = &caller.audit {
        note.put(&mut batch, None).map_err(store_error)?;
    }
    app.provisioner.shared.journal.write(batch).await.map_err(|error| {
        let error = commit_error(error);
        // Changes of tokens have no idempotency key.
        if error.is_maybe_applied() {
            error.with_remedy("see with `muster token list` whether it was made")
        } else {
            error
        }
    })?;
    Ok(())
}
