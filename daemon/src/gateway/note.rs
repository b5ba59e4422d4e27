//! Events that tell of what happened without an operation: somebody was given a stream or a file, an account or a token was
//! changed. With their audit records.

use muster_protocol::model::event::EventKind;
use muster_protocol::{Error, Name};
use muster_store::Batch;

use super::roles::Caller;
use crate::app::App;
use crate::gateway::refusals::{commit_error, store_error};
use crate::journal::records::StoredEvent;

/// Writes the event and the audit record. They are on disk when this returns.
pub async fn note(
    app: &App,
    caller: &Caller,
    cluster: &Name,
    service: Option<&Name>,
    kind: EventKind,
    message: String,
) -> Result<(), Error> {
    let shared = &app.provisioner.shared;
    let id = shared.board.cluster(cluster)?.state.id();
    let event = StoredEvent {
        at: app.now(),
        kind,
        cluster: Some((id, cluster.clone())),
        operation: None,
        service: service.cloned(),
        who: Some(caller.principal.clone()),
        message,
        cause: None,
    };
    write(app, Batch::new(), caller, event).await
}

/// Writes a change of a list of the daemon's own, with the event and the audit record that tell of it. Such changes have no
/// idempotency key; `list` is the command that shows whether one was made.
pub async fn change_of_list(
    app: &App,
    batch: Batch,
    caller: &Caller,
    kind: EventKind,
    message: String,
    list: &str,
) -> Result<(), Error> {
    let event = StoredEvent {
        at: app.now(),
        kind,
        cluster: None,
        operation: None,
        service: None,
        who: Some(caller.principal.clone()),
        message,
        cause: None,
    };
    write(app, batch, caller, event).await.map_err(|error| {
        if error.is_maybe_applied() {
            error.with_remedy(format!("see with `{list}` whether it was made"))
        } else {
            error
        }
    })
}

async fn write(app: &App, mut batch: Batch, caller: &Caller, event: StoredEvent) -> Result<(), Error> {
    batch.append_event(&event).map_err(store_error)?;
    if let Some(audit) = &caller.audit {
        audit.put(&mut batch, None).map_err(store_error)?;
    }
    app.provisioner.shared.journal.write(batch).await.map(drop).map_err(commit_error)
}
