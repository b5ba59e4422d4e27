//! The HTTP server: listener, TLS, limits of connections, an orderly end.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum_server::accept::Accept;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use axum_server::{Handle, Server};
use metrics::gauge;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::info;

use crate::app::App;
use crate::config::{Config, Limits};
use crate::reload::Reload;
use crate::router::router;
use crate::telemetry::CONNECTIONS;
use crate::tls::{self, TlsError};

/// Why the bridge does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// TLS.
    #[error("TLS cannot be served")]
    Tls(#[from] TlsError),
    /// The description of the API.
    #[error("the API's description cannot be made")]
    Description(#[from] serde_json::Error),
    /// The listener.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The server failed.
    #[error("the server failed")]
    Serve(#[source] io::Error),
}

/// Serves until `shutdown`, and then until what is under way has ended or its time is over. `ready` is told the address.
///
/// # Errors
/// If it cannot begin to.
pub async fn serve(
    config: Config,
    metrics: metrics_exporter_prometheus::PrometheusHandle,
    ready: impl FnOnce(SocketAddr),
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let tls = match &config.tls {
        None => None,
        Some(files) => Some((files.clone(), RustlsConfig::from_config(tls::read(files)?))),
    };
    let listen = |source| ServeError::Listen { address: config.listen, source };
    let listener = TcpListener::bind(config.listen).map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    let app = App::new(config.clone(), metrics);
    let router = router(app)?;
    let running = tls.clone();
    let reload = tokio::spawn(Reload { tls }.run());
    let handle = Handle::new();
    let drain = Duration::from_millis(config.limits.drain_ms);
    let ender = handle.clone();
    tokio::spawn(async move {
        shutdown.await;
        info!("told to stop");
        ender.graceful_shutdown(Some(drain));
    });
    let server = axum_server::from_tcp(listener).map_err(listen)?.handle(handle);
    let server = limited(server, &config.limits);
    let gate = Connections::new(config.limits.connections);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    ready(address);
    let served = match running {
        None => server.acceptor(gate).serve(service).await,
        Some((_, running)) => {
            let acceptor = RustlsAcceptor::new(running).acceptor(gate);
            server.acceptor(acceptor).serve(service).await
        }
    };
    reload.abort();
    served.map_err(ServeError::Serve)
}

fn limited(mut server: Server<SocketAddr>, limits: &Limits) -> Server<SocketAddr> {
    let head = Duration::from_millis(limits.header_ms);
    let builder = server.http_builder();
    builder.http1().header_read_timeout(head).max_buf_size(limits.header_bytes);
    builder
        .http2()
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(128)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20));
    server.first_request_timeout(head)
}

/// Admits so many connections at once; one more waits for another's end as long as a handshake may take.
#[derive(Clone)]
struct Connections(Arc<Semaphore>);

impl Connections {
    fn new(most: usize) -> Self {
        Self(Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))))
    }
}

impl<S: Send + 'static> Accept<TcpStream, S> for Connections {
    type Stream = Counted;
    type Service = S;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Counted, S)>> + Send>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let places = Arc::clone(&self.0);
        Box::pin(async move {
            // Small answers and events go out at once.
            stream.set_nodelay(true)?;
            let place = places.try_acquire_owned().map_err(|_| io::Error::other("too many connections"))?;
            Ok((Counted::new(stream, place), service))
        })
    }
}

mod counted;

use counted::Counted;
