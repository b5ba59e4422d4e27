//! Why a connection ended, for the request that finds it ended.
//!
//! With TLS 1.3 a server judges the client's certificate after the client's side of the handshake is over. Its refusal
//! then meets a connection that waits for its first request, and HTTP tells that request only that it was not sent.
//! The refusal is kept here, beside the connection, so that the failure can name its cause.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use futures::future::{BoxFuture, FutureExt as _, TryFutureExt as _};
use hyper::Uri;
use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

type TlsStream = MaybeHttpsStream<TokioIo<TcpStream>>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The TLS error that ended a connection, once there is one. Travels with what is known of the connection.
#[derive(Clone, Default)]
pub(crate) struct TlsEnd(Arc<OnceLock<rustls::Error>>);

impl TlsEnd {
    /// The error of the connection that this request was meant for.
    pub(crate) fn of(error: &hyper_util::client::legacy::Error) -> Option<rustls::Error> {
        let mut known = hyper::http::Extensions::new();
        error.connect_info()?.get_extras(&mut known);
        known.get::<Self>()?.0.get().cloned()
    }

    fn keep(&self, error: &io::Error) {
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        if let Some(tls) = tls {
            // The first one is the cause, the others follow from it.
            let _ = self.0.set(tls.clone());
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
        self.0.call(uri).map_ok(|tls| Stream { tls, end: TlsEnd::default() }).boxed()
    }
}

/// A connection that keeps how it ended.
pub(crate) struct Stream {
    tls: TlsStream,
    end: TlsEnd,
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
