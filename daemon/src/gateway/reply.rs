//! What comes of a request.

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use muster_engine::duplex::Duplex;
use muster_protocol::{Error, Response, StreamItem};

/// Items of a stream, as they come. An error is the last item.
pub type Items = BoxStream<'static, Result<StreamItem, Error>>;

/// What a request leads to.
pub enum ReplyBody {
    /// One answer.
    Answer(Box<Response>),
    /// A stream.
    Stream(Items),
    /// A stream that takes input.
    Duplex(Duplex),
}

/// What is still to be done for a request. Nothing of it is done before it is polled.
pub type Work = BoxFuture<'static, Result<ReplyBody, Error>>;

/// How a request is answered.
pub enum Dispatched {
    /// It needs no waiting: here is the answer.
    AtOnce(Result<Response, Error>),
    /// With what comes of this.
    Later(Work),
}
