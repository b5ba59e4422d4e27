//! One stream on one connection.

use std::sync::Arc;

use muster_protocol::credit::{Credit, Window};
use muster_protocol::{Asker, ClientFrame, Request, RequestId, codec};
use tokio::sync::mpsc;

use crate::asker::frame;
use crate::call::CallError;
use crate::connection::{Connection, InFlight};
use crate::pending::{Lost, StreamEvent};

/// A stream that was asked for. Dropping it cancels it.
pub(crate) struct Subscription {
    in_flight: InFlight,
    items: mpsc::Receiver<StreamEvent>,
    window: Window,
    credit: Credit,
}

impl Connection {
    /// Asks for a stream of which at most `window` items are buffered here or on their way.
    pub(crate) async fn subscribe(
        self: &Arc<Self>,
        asker: Option<&Asker>,
        request: Request,
        window: u32,
    ) -> Result<Subscription, CallError> {
        let window = Window::new(window);
        let room = self.room().await;
        let id = self.pending.next_id();
        let body = codec::encode(&frame(self.agreed.features, id, asker, request))?;
        let credit = codec::encode(&ClientFrame::credit(id, window.initial()))?;
        let credit_of_ours = Credit::new();
        let items =
            self.pending.expect_stream(id, window.initial(), credit_of_ours.clone()).map_err(CallError::NotSent)?;
        let in_flight = InFlight { connection: Arc::clone(self), id };
        self.say(&body, room);
        self.say(&credit, None);
        Ok(Subscription { in_flight, items, window, credit: credit_of_ours })
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

    /// Where input of the stream goes.
    pub(crate) fn input(&self) -> (Arc<Connection>, RequestId, Credit) {
        (Arc::clone(&self.in_flight.connection), self.in_flight.id, self.credit.clone())
    }

    /// The connection that it runs on.
    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.in_flight.connection
    }
}
