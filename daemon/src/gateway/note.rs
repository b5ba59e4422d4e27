//! Events that tell of what somebody was given without an operation: a stream, a file. With their audit records.

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
    let mut batch = Batch::new();
    batch.append_event(&event).map_err(store_error)?;
    if let Some(audit) = &caller.audit {
        audit.put(&mut batch, None).map_err(store_error)?;
    }
    shared.journal.write(batch).await.map_err(commit_error)?;
    Ok(())
}
