//! listEvents: the event log behind a cursor, then new events as they come.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::{StreamExt, stream};
use muster_protocol::model::event::Event;
use muster_protocol::{Error, ErrorCode, Name, StreamItem};
use muster_store::Store;
use tokio::sync::watch;

use super::reply::Items;
use super::roles::Caller;
use crate::app::App;
use crate::gateway::refusals::store_error;
use crate::journal::records::StoredEvent;

/// Events read from the store at once.
const READ_AT_ONCE: usize = 256;

/// Reads on behind a cursor.
struct Reader {
    store: Store,
    last_event: watch::Receiver<u64>,
    /// The last event that was read, whether it was wanted or not.
    cursor: u64,
    caller: Caller,
    cluster: Option<Name>,
    follow: bool,
    wanted: VecDeque<Event>,
}

/// Events with numbers above `since`, of one cluster or of all that the caller may see; new ones too, if `follow`.
pub async fn events(
    app: &Arc<App>,
    caller: Caller,
    since: Option<u64>,
    cluster: Option<Name>,
    follow: bool,
) -> Result<Items, Error> {
    let store = app.store.clone();
    let last_event = store.last_event();
    let kept = store.event_numbers().await.map_err(store_error)?;
    let cursor = match since {
        None => kept.start - 1,
        Some(since) if since < kept.start.saturating_sub(1) => return Err(no_longer_kept(since, kept.start)),
        Some(since) if since >= kept.end => {
            let message = format!("there is no event {since} yet, the last one is {}", kept.end - 1);
            return Err(Error::invalid("since", message)
                .with_remedy("the cursor is of another daemon, or the store was restored from an older copy")
                .with_detail("last", kept.end - 1));
        }
        Some(since) => since,
    };
    let reader = Reader { store, last_event, cursor, caller, cluster, follow, wanted: VecDeque::new() };
    let events = stream::try_unfold(reader, |mut reader| async {
        let event = reader.next().await?;
        Ok(event.map(|event| (StreamItem::Event(event), reader)))
    });
    Ok(events.boxed())
}

impl Reader {
    async fn next(&mut self) -> Result<Option<Event>, Error> {
        loop {
            if let Some(event) = self.wanted.pop_front() {
                return Ok(Some(event));
            }
            // Before reading, so that an event which comes while reading is not slept through.
            self.last_event.mark_unchanged();
            if !self.read().await? && (!self.follow || self.last_event.changed().await.is_err()) {
                return Ok(None);
            }
        }
    }

    /// Who may see some clusters only sees nothing of what is about no cluster.
    fn is_wanted(&self, event: &Event) -> bool {
        let is_asked_for = self.cluster.is_none() || event.cluster == self.cluster;
        is_asked_for
            && (self.caller.clusters.is_none() || event.cluster.as_ref().is_some_and(|of| self.caller.sees(of)))
    }

    /// Reads the next events; false if there are none now.
    async fn read(&mut self) -> Result<bool, Error> {
        let events = self.store.read_events(self.cursor, READ_AT_ONCE).await.map_err(store_error)?;
        let Some(first) = events.first() else { return Ok(false) };
        if first.number != self.cursor + 1 {
            // They were pruned while the reader was slow.
            return Err(no_longer_kept(self.cursor, first.number));
        }
        for stored in events {
            self.cursor = stored.number;
            let event = stored.decode::<StoredEvent>().map_err(store_error)?.numbered(stored.number);
            if self.is_wanted(&event) {
                self.wanted.push_back(event);
            }
        }
        Ok(true)
    }
}

fn no_longer_kept(since: u64, first: u64) -> Error {
    Error::new(ErrorCode::NotFound, format!("events behind {since} are no longer kept, the first one is {first}"))
        .with_remedy(format!(
            "go on with `--since {}`, and see the present state with `muster cluster list`",
            first - 1
        ))
        .with_detail("firstAvailable", first)
}
