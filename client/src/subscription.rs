//! One stream on one connection.

use std::sync::Arc;

use muster_protocol::credit::Window;
use muster_protocol::{ClientFrame, Request, codec};
use tokio::sync::mpsc;

use crate::call::CallError;
use crate::connection::{Connection, InFlight};
use crate::pending::{Lost, StreamEvent};

/// A stream that was asked for. Dropping it cancels it.
pub(crate) struct Subscription {
    in_flight: InFlight,
    items: mpsc::Receiver<StreamEvent>,
    window: Window,
}

impl Connection {
    /// Asks for a stream of which at most `window` items are buffered here or on their way.
    pub(crate) async fn subscribe(self: &Arc<Self>, request: Request, window: u32) -> Result<Subscription, CallError> {
        let window = Window::new(window);
        let room = self.room().await;
        let id = self.pending.next_id();
        let body = codec::encode(&ClientFrame::request(id, request))?;
        let credit = codec::encode(&ClientFrame::credit(id, window.initial()))?;
        let items = self.pending.expect_stream(id, window.initial()).map_err(CallError::NotSent)?;
        let in_flight = InFlight { connection: Arc::clone(self), id };
        self.say(&body, room);
        self.say(&credit, None);
        Ok(Subscription { in_flight, items, window })
    }
}

impl Subscription {
    /// What comes next. Cancel-safe. Taking an item lets the daemon send another one.
    pub(crate) async fn next(&mut self) -> Result<StreamEvent, Lost> {
        let connection = &self.in_flight.connection;
        let Some(event) = self.items.recv().await else { return Err(connection.why_lost()) };
        if let StreamEvent::Item(_) = event
            && let Some(more) = self.window.take()
            && let Ok(body) = codec::encode(&ClientFrame::credit(self.in_flight.id, more))
        {
            connection.say(&body, None);
        }
        Ok(event)
    }

    /// The connection that it runs on.
    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.in_flight.connection
    }
}
