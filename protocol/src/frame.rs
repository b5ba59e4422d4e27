//! What travels in frames after the handshake.
//!
//! A client picks an id for each request, unused among its requests in flight. A request whose
//! [`Request::is_stream`](crate::Request::is_stream) is false is answered with one `Answer`. A stream is answered
//! with any number of `Item`s and one `End`; the server sends at most as many items as the client has granted with
//! `Credit`, and starts with none. After `Cancel` the client no longer listens: the server drops the request (a change
//! that is on disk stays) and need not send anything more for its id.
//!
//! A stream whose [`Request::is_duplex`](crate::Request::is_duplex) is true takes `Item`s from the client as well, at most
//! as many as the server has granted with a `Credit` of its own.
//!
//! ```text
//! client                              server
//!   7 Request(ClusterList)  ───────▶
//!   8 Request(Events)       ───────▶
//!   8 Credit(64)            ───────▶
//!                           ◀───────  8 Item(Event)      at most 64 of these before more credit
//!                           ◀───────  7 Answer(Clusters)
//!   8 Credit(32)            ───────▶
//!   8 Cancel                ───────▶
//! ```

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{Error, Principal, Request, Response, StreamInput, StreamItem};

/// Which request a frame belongs to; chosen by the client, unique on its connection.
pub type RequestId = u64;

/// A frame from a client.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ClientFrame {
    /// The request it belongs to.
    pub id: RequestId,
    /// What it says.
    pub body: ClientBody,
}

/// What a client says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ClientBody {
    /// Asks.
    Request {
        /// For whom, if not for the user at this end of the connection. Only users that the daemon's configuration
        /// trusts may say it.
        on_behalf_of: Option<Box<Principal>>,
        /// What for.
        request: Box<Request>,
    },
    /// Allows the server to send so many more items of this stream.
    Credit(u32),
    /// Is no longer interested.
    Cancel,
    /// One item of a stream that goes both ways.
    Item(StreamInput),
    /// Asks for somebody who is elsewhere; of the feature [`FEATURE_ADDRESS`](crate::hello::FEATURE_ADDRESS).
    RequestFrom {
        /// For whom, as in `Request`.
        on_behalf_of: Box<Principal>,
        /// The network address that it asked from.
        address: IpAddr,
        /// What for.
        request: Box<Request>,
    },
}

/// A frame from the server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ServerFrame {
    /// The request it belongs to.
    pub id: RequestId,
    /// What it says.
    pub body: ServerBody,
}

/// What the server says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ServerBody {
    /// The one answer to a request that is no stream. To a stream, only as a refusal, and then the last word.
    Answer(Result<Response, Error>),
    /// One item of a stream.
    Item(StreamItem),
    /// The stream is over.
    End(Result<(), Error>),
    /// Allows the client to send so many more items of this stream.
    Credit(u32),
}

impl ClientFrame {
    /// Asks.
    pub fn request(id: RequestId, request: Request) -> Self {
        Self { id, body: ClientBody::Request { on_behalf_of: None, request: Box::new(request) } }
    }

    /// Asks on behalf of somebody else.
    pub fn request_for(id: RequestId, principal: Principal, request: Request) -> Self {
        let on_behalf_of = Some(Box::new(principal));
        Self { id, body: ClientBody::Request { on_behalf_of, request: Box::new(request) } }
    }

    /// Asks on behalf of somebody who is elsewhere.
    pub fn request_from(id: RequestId, principal: Principal, address: IpAddr, request: Request) -> Self {
        let (on_behalf_of, request) = (Box::new(principal), Box::new(request));
        Self { id, body: ClientBody::RequestFrom { on_behalf_of, address, request } }
    }

    /// Allows `items` more items of a stream.
    pub const fn credit(id: RequestId, items: u32) -> Self {
        Self { id, body: ClientBody::Credit(items) }
    }

    /// One item of a stream that goes both ways.
    pub const fn item(id: RequestId, item: StreamInput) -> Self {
        Self { id, body: ClientBody::Item(item) }
    }

    /// Is no longer interested.
    pub const fn cancel(id: RequestId) -> Self {
        Self { id, body: ClientBody::Cancel }
    }
}

impl ServerFrame {
    /// Answers a request.
    pub const fn answer(id: RequestId, answer: Result<Response, Error>) -> Self {
        Self { id, body: ServerBody::Answer(answer) }
    }

    /// One item of a stream.
    pub const fn item(id: RequestId, item: StreamItem) -> Self {
        Self { id, body: ServerBody::Item(item) }
    }

    /// Allows `items` more items of a stream.
    pub const fn credit(id: RequestId, items: u32) -> Self {
        Self { id, body: ServerBody::Credit(items) }
    }

    /// Ends a stream.
    pub const fn end(id: RequestId, result: Result<(), Error>) -> Self {
        Self { id, body: ServerBody::End(result) }
    }
}
