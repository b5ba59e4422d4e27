//! What the daemon says of itself in the event log: that it was started and stopped, and what was repaired.

use muster_protocol::model::event::EventKind;
use muster_store::{Batch, BatchError, CommitError, OpenReport, Store};
use tracing::{info, warn};

use crate::clock::Clock;
use crate::journal::records::StoredEvent;

/// What was repaired is told in the log and, for good, in the events. It is the store's first write, which may take its
/// time: whoever only reads need not wait for it.
pub fn note_opening(
    store: &Store,
    report: &OpenReport,
    clock: &Clock,
) -> Result<impl Future<Output = Result<(), CommitError>> + Send + 'static, BatchError> {
    let mut batch = Batch::new();
    for repair in &report.repairs {
        let kept = report.kept.as_ref().map(|kept| format!("; the files as found are in {}", kept.display()));
        let message = format!("the store was repaired: {repair}{}", kept.unwrap_or_default());
        warn!("{message}");
        tell(&mut batch, clock, message)?;
    }
    info!(created = report.created, generation = report.generation, records = report.records, "the store is open");
    tell(&mut batch, clock, format!("daemon {} started", env!("CARGO_PKG_VERSION")))?;
    let noted = store.commit(batch);
    Ok(async move { noted.await.map(drop) })
}

/// The last event before a stop in good order. Its absence before the next start tells of a kill.
pub async fn note_stop(store: &Store, clock: &Clock) {
    let mut batch = Batch::new();
    match tell(&mut batch, clock, format!("daemon {} stopped", env!("CARGO_PKG_VERSION"))) {
        Ok(()) => {
            if let Err(cause) = store.commit(batch).await {
                warn!(%cause, "the stop is not on record");
            }
        }
        Err(cause) => warn!(%cause, "the stop is not on record"),
    }
}

fn tell(batch: &mut Batch, clock: &Clock, message: String) -> Result<(), BatchError> {
    let (cluster, operation, service, who, cause) = (None, None, None, None, None);
    let kind = EventKind::Daemon;
    batch.append_event(&StoredEvent { at: clock.now(), kind, cluster, operation, service, who, message, cause })?;
    Ok(())
}
