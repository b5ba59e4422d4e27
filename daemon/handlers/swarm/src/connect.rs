//! Connections to the machines' Docker Engines, over mutual TLS with the cluster's own authority.
//!
//! Keys and certificates come from memory and stay there. No other root is trusted, so a machine of
//! another cluster, or anything else that answers at the address, is refused.

use std::sync::Arc;
use std::time::Duration;

use bollard::errors::Error as EngineError;
use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker, body_full};
use futures::future::BoxFuture;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Response};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use muster_engine::context::Material;
use muster_engine::failure::Failure;
use muster_engine::ledger::MachineAccess;
use muster_material::material;
use muster_protocol::ErrorCode;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::failures::Answer as _;
use crate::tls_end::{KeepsTlsEnd, answer};

/// Where a machine's Docker Engine listens for TLS.
pub const ENGINE_PORT: u16 = 2376;

/// How long to wait for a connection: a machine that lives answers in milliseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait for the first byte of an answer. Longer than the engine's own 20 s for joining a swarm.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(40);
/// A peer that acknowledges nothing for so long is gone, whatever the kernel hopes for.
const SILENCE: Duration = Duration::from_secs(10);

/// How a machine's Docker Engine is reached. The seam for tests and for other ways than TLS.
pub trait Connector: Send + Sync {
    /// The engine of the machine at this address. Does not connect yet.
    fn engine(&self, access: &MachineAccess) -> Result<Engine, Failure>;
}

/// Sends a request to an engine and waits for the head of its answer.
pub type Transport =
    dyn Fn(BollardRequest) -> BoxFuture<'static, Result<Response<Incoming>, EngineError>> + Send + Sync;

/// One machine's Docker Engine. Cheap to clone; connections are shared.
#[derive(Clone)]
pub struct Engine {
    docker: Docker,
    transport: Arc<Transport>,
    url: String,
}

impl Engine {
    /// The engine that answers `transport` under this URL.
    pub fn new(transport: Arc<Transport>, url: String) -> Result<Self, Failure> {
        let shared = Arc::clone(&transport);
        let send = move |request: BollardRequest| shared(request);
        let docker = Docker::connect_with_custom_transport(
            send,
            Some(url.clone()),
            ANSWER_TIMEOUT.as_secs(),
            API_DEFAULT_VERSION,
        )
        .reading("connect")?;
        Ok(Self { docker, transport, url })
    }

    /// Its address and port.
    pub(crate) fn endpoint(&self) -> &str {
        self.url.split_once("://").map_or(self.url.as_str(), |(_, endpoint)| endpoint)
    }

    /// The engine's API.
    pub(crate) fn api(&self) -> &Docker {
        &self.docker
    }

    /// Reads something that the typed API leaves fields out of.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str, what: &str) -> Result<T, Failure> {
        let read = async {
            let body = self.exchange(path, BollardRequest::new(body_full(Default::default()))).await?;
            Ok(serde_json::from_slice(&body)?)
        };
        read.await.reading(what)
    }

    /// Writes something that the typed API leaves fields out of.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<(), EngineError> {
        let mut request = BollardRequest::new(body_full(serde_json::to_vec(body)?.into()));
        *request.method_mut() = Method::POST;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.exchange(path, request).await.map(drop)
    }

    async fn exchange(&self, path: &str, mut request: BollardRequest) -> Result<Bytes, EngineError> {
        let exchange = async {
            *request.uri_mut() = format!("{}{path}", self.url).parse().map_err(EngineError::from)?;
            let response = (self.transport)(request).await?;
            let status_code = response.status().as_u16();
            let body = response.into_body().collect().await.map_err(EngineError::from)?.to_bytes();
            if status_code != 200 {
                let message = String::from_utf8_lossy(&body).into_owned();
                return Err(EngineError::DockerResponseServerError { status_code, message });
            }
            Ok(body)
        };
        tokio::time::timeout(ANSWER_TIMEOUT, exchange).await.unwrap_or(Err(EngineError::RequestTimeoutError))
    }
}

/// Mutual TLS with one cluster's keys. One pool of connections for all its machines.
pub(crate) struct TlsConnector {
    /// The failure is told at every use, because a handler can be made without an answer.
    transport: Result<Arc<Transport>, Failure>,
}

impl TlsConnector {
    pub(crate) fn new(material: &Material) -> Self {
        Self { transport: client_config(material).map(transport) }
    }

    /// The engine at this address and port.
    pub(crate) fn engine_at(&self, endpoint: &str) -> Result<Engine, Failure> {
        let transport = self.transport.as_ref().map_err(Failure::clone)?;
        Engine::new(Arc::clone(transport), format!("https://{endpoint}"))
    }
}

impl Connector for TlsConnector {
    fn engine(&self, access: &MachineAccess) -> Result<Engine, Failure> {
        self.engine_at(&authority(&access.address, ENGINE_PORT))
    }
}

/// `address:port`, with the brackets that IPv6 wants.
pub(crate) fn authority(address: &str, port: u16) -> String {
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

fn client_config(material: &Material) -> Result<rustls::ClientConfig, Failure> {
    let unusable = |name: &str, why: String| {
        Failure::not_applied(ErrorCode::Internal, format!("the cluster's `{name}` cannot be used: {why}")).permanent()
    };
    let pem = |name: &str| {
        let text = material.get(name).ok_or_else(|| unusable(name, "it is missing".to_owned()))?;
        Ok::<_, Failure>(text.as_bytes())
    };
    let certificates = |name: &str| {
        let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem(name)?).collect();
        parsed.map_err(|error| unusable(name, error.to_string()))
    };
    let mut roots = rustls::RootCertStore::empty();
    for certificate in certificates(material::CA_CERTIFICATE)? {
        roots.add(certificate).map_err(|error| unusable(material::CA_CERTIFICATE, error.to_string()))?;
    }
    let key = PrivateKeyDer::from_pem_slice(pem(material::CLIENT_KEY)?)
        .map_err(|error| unusable(material::CLIENT_KEY, error.to_string()))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(material::CA_CERTIFICATE, error.to_string()))?
        .with_root_certificates(roots)
        .with_client_auth_cert(certificates(material::CLIENT_CERTIFICATE)?, key)
        .map_err(|error| unusable(material::CLIENT_CERTIFICATE, error.to_string()))
}

fn transport(tls: rustls::ClientConfig) -> Arc<Transport> {
    let client = client(tls);
    Arc::new(move |request: BollardRequest| {
        let client = client.clone();
        Box::pin(async move { answer(&client, request).await })
    })
}

fn client<B>(tls: rustls::ClientConfig) -> Client<KeepsTlsEnd, B>
where
    B: Body + Send,
    B::Data: Send,
{
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    tcp.set_keepalive(Some(SILENCE));
    tcp.set_tcp_user_timeout(Some(SILENCE));
    let tls = HttpsConnectorBuilder::new().with_tls_config(tls).https_only().enable_http1().wrap_connector(tcp);
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_secs(60))
        .pool_max_idle_per_host(4)
        .build(KeepsTlsEnd(tls))
}

#[cfg(test)]
#[path = "../tests/real/certificates.rs"]
mod certificates;

#[cfg(test)]
mod tests {
    use hyper_util::client::legacy::connect::capture_connection;
    use rustls::server::WebPkiClientVerifier;
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::certificates::Authority;
    use super::*;
    use crate::tls_end::lost;

    #[test]
    fn an_ipv6_address_is_put_in_brackets() {
        assert_eq!(authority("10.0.0.1", 2376), "10.0.0.1:2376");
        assert_eq!(authority("fd00::1", 2376), "[fd00::1]:2376");
    }

    #[test]
    fn missing_material_is_named_in_the_failure() {
        let failure = client_config(&Material::default()).unwrap_err();
        assert!(failure.message.contains("ca-certificate"), "{failure}");
    }

    /// A server of `known`'s cluster that lets in only the clients of `trusted`. Returns its URL.
    async fn serve_clients_of(trusted: &Authority, known: &Authority) -> String {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(trusted.certificate().as_bytes()).unwrap()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider)).build();
        let identity = known.server("127.0.0.1");
        let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.unwrap())
            .with_single_cert(vec![certificate], PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap())
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((peer, _)) = listener.accept().await {
                let handshake = acceptor.accept(peer).into_fallible();
                tokio::spawn(async move {
                    if let Err((_, mut peer)) = handshake.await {
                        let _ = peer.read_to_end(&mut Vec::new()).await;
                    }
                });
            }
        });
        url
    }

    /// The refusal comes before, while or after the request is sent, as it happens; the cause is named in every case.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_client_that_the_engine_does_not_know_is_told_so_whenever_the_refusal_comes() {
        let (ours, others) = (Authority::new(), Authority::new());
        let url = serve_clients_of(&others, &ours).await;
        let engine = Engine::new(transport(client_config(&ours.material()).unwrap()), url).unwrap();
        for attempt in 0..300 {
            let failure = engine.get::<serde_json::Value>("/info", "ask").await.unwrap_err();
            assert_eq!(failure.code, ErrorCode::Credentials, "attempt {attempt}: {failure}");
        }
    }
    /// As when the request came into the channel to its connection just after the connection had emptied and left it:
    /// nothing is left of the request but what is known of its connection.
    #[tokio::test]
    async fn a_request_that_its_ended_connection_lost_ends_with_the_connections_cause() {
        let (ours, others) = (Authority::new(), Authority::new());
        let url = serve_clients_of(&others, &ours).await;
        let client = client(client_config(&ours.material()).unwrap());
        let mut request = hyper::Request::get(url).body(http_body_util::Empty::<Bytes>::new()).unwrap();
        let chosen = capture_connection(&mut request);
        client.request(request).await.unwrap_err();
        let failure = Err::<(), _>(EngineError::from(lost(chosen).await)).reading("ask").unwrap_err();
        assert_eq!(failure.code, ErrorCode::Credentials, "{failure}");
    }
}
