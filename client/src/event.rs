//! Calls about events, the durable log of what happened.

use futures::StreamExt;
use muster_protocol::model::event::Event;
use muster_protocol::{Name, Request, StreamItem};

use crate::watch::Resume;
use crate::{Client, ClientError, ItemStream};

/// Which events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventQuery {
    /// Those behind the event of this number; from the oldest that is kept if none.
    pub since: Option<u64>,
    /// Those about one cluster.
    pub cluster: Option<Name>,
    /// Whether the stream goes on with new ones, or ends at the newest.
    pub follow: bool,
}

impl Client {
    /// Events in their order. Survives lost connections without gap or repeat: it goes on behind the last one.
    pub fn events(&self, query: EventQuery) -> ItemStream<Event> {
        self.watch(query).boxed()
    }
}

impl Resume for EventQuery {
    type Item = Event;

    fn request(&self) -> Request {
        Request::Events { since: self.since, cluster: self.cluster.clone(), follow: self.follow }
    }

    fn accept(&mut self, item: StreamItem) -> Result<Option<Event>, ClientError> {
        let StreamItem::Event(event) = item else {
            return Err(ClientError::unexpected("an event"));
        };
        if self.since.is_some_and(|last| event.number <= last) {
            return Ok(None);
        }
        self.since = Some(event.number);
        Ok(Some(event))
    }
}
