//! That a connection ended, and why, for the request that finds it ended.
//!
//! With TLS 1.3 a server judges the client's certificate after the client's side of the handshake is over. Its refusal
//! then meets a connection that waits for its first request, and HTTP tells that request only that it was not sent.
//! The refusal is kept here, beside the connection, so that the failure can name its cause.
//!
//! A request that is handed to a connection in the moment in which the connection ends may lie in the channel between
//! them for good: the receiving end is emptied and closed before the request is in it. Such a request is given up here.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bollard::errors::Error as EngineError;
use futures::future::{self, BoxFuture, FutureExt as _, TryFutureExt as _};
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use hyper::{Request, Response, Uri};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{
    CaptureConnection, Connected, Connection, HttpConnector, capture_connection,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_util::sync::{CancellationToken, DropGuard};
use tower_service::Service;

type TlsStream = MaybeHttpsStream<TokioIo<TcpStream>>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How long the end of a connection takes at most to reach its request, if it ever does. Longer than a connection takes
/// to be made: a request that was not begun is sent over another one.
const GRACE: Duration = Duration::from_secs(6);

/// Sends a request and waits for the head of its answer, for as long as there is a connection that could bring one.
pub(crate) async fn answer<B>(
    client: &Client<KeepsTlsEnd, B>,
    mut request: Request<B>,
) -> Result<Response<Incoming>, EngineError>
where
    B: hyper::body::Body + Send + 'static + Unpin,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let chosen = capture_connection(&mut request);
    tokio::select! {
        biased;
        answer = client.request(request) => answer.map_err(EngineError::from),
        error = lost(chosen) => Err(EngineError::from(error)),
    }
}

/// Ends when the connection that was chosen has ended and its request was not told.
pub(crate) async fn lost(mut chosen: CaptureConnection) -> io::Error {
    loop {
        let Some(end) = chosen.wait_for_connection_metadata().await.as_ref().and_then(TlsEnd::of_connection) else {
            return future::pending().await;
        };
        end.0.ended.cancelled().await;
        tokio::time::sleep(GRACE).await;
        let now = chosen.connection_metadata().as_ref().and_then(TlsEnd::of_connection);
        if now.is_some_and(|now| Arc::ptr_eq(&now.0, &end.0)) {
            return end.error();
        }
    }
}

/// Whether a connection has ended, and the TLS error that ended it, once there is one. Travels with what is known of the
/// connection.
#[derive(Clone, Default)]
pub(crate) struct TlsEnd(Arc<End>);

#[derive(Default)]
struct End {
    error: OnceLock<rustls::Error>,
    ended: CancellationToken,
}

impl TlsEnd {
    /// The error of the connection that this request was meant for.
    pub(crate) fn of(error: &hyper_util::client::legacy::Error) -> Option<rustls::Error> {
        Self::of_connection(error.connect_info()?)?.0.error.get().cloned()
    }

    fn of_connection(connection: &Connected) -> Option<Self> {
        let mut known = hyper::http::Extensions::new();
        connection.get_extras(&mut known);
        known.remove()
    }

    fn keep(&self, error: &io::Error) {
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        if let Some(tls) = tls {
            // The first one is the cause, the others follow from it.
            let _ = self.0.error.set(tls.clone());
        }
    }

    /// The error of a request that was meant for this connection.
    fn error(&self) -> io::Error {
        match self.0.error.get() {
            Some(tls) => io::Error::new(io::ErrorKind::InvalidData, tls.clone()),
            None => io::Error::new(io::ErrorKind::ConnectionReset, "the connection ended before an answer came"),
        }
    }
}

/// Connects as the connector within does, and keeps how every connection ends.
#[derive(Clone)]
pub(crate) struct KeepsTlsEnd(pub(crate) HttpsConnector<HttpConnector>);

impl Service<Uri> for KeepsTlsEnd {
    type Response = Stream;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Stream, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let kept = |tls| {
            let end = TlsEnd::default();
            Stream { tls, _ended: end.0.ended.clone().drop_guard(), end }
        };
        self.0.call(uri).map_ok(kept).boxed()
    }
}

/// A connection that keeps how it ended.
pub(crate) struct Stream {
    tls: TlsStream,
    end: TlsEnd,
    _ended: DropGuard,
}

impl Stream {
    fn keep<T>(&self, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(error)) = &result {
            self.end.keep(error);
        }
        result
    }

    /// As [`keep`](Self::keep), for what was written: a peer that has refused and left lets writes fail with no more than
    /// "broken pipe", while its refusal still waits to be read.
    fn keep_written<T>(&mut self, result: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(_)) = &result {
            let mut scratch = [0; 64];
            let refusal = Pin::new(&mut self.tls).poll_read(context, ReadBuf::new(&mut scratch).unfilled());
            let _ = self.keep(refusal);
        }
        self.keep(result)
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        self.tls.connected().extra(self.end.clone())
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.tls).poll_read(context, buffer);
        self.keep(read)
    }
}

impl Write for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tls).poll_write(context, bytes);
        self.keep_written(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tls).poll_write_vectored(context, parts);
        self.keep_written(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.tls.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.tls).poll_flush(context);
        self.keep_written(flushed, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = Pin::new(&mut self.tls).poll_shutdown(context);
        self.keep(closed)
    }
}
