//! Whether a machine's Docker Engine answers over mutual TLS: asked from here, the way the handler will.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use muster_engine::context::Material;
use muster_engine::failure::Failure;
use muster_protocol::ErrorCode;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;

use crate::material::{self, MaterialError};

const TRY_LIMIT: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(100);
const PING: &[u8] = b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n";

/// Asks until the engine answers, for at most `patience`.
pub async fn wait_until_it_answers(
    material: &Material,
    address: &str,
    port: u16,
    patience: Duration,
) -> Result<(), Failure> {
    let connector =
        connector(material).map_err(|message| Failure::not_applied(ErrorCode::Internal, message).permanent())?;
    let deadline = Instant::now() + patience;
    loop {
        let error = match timeout(TRY_LIMIT, ping(&connector, address, port)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", TRY_LIMIT.as_secs()),
        };
        if Instant::now() + PAUSE >= deadline {
            let message = format!("the Docker Engine at {address}:{port} does not answer over TLS: {error}");
            return Err(Failure::maybe_applied(ErrorCode::Preparation, message).with_remedy(
                "see that the port is reachable from the daemon, and `journalctl -u docker` on the machine",
            ));
        }
        sleep(PAUSE).await;
    }
}

/// A TLS client that shows the cluster's client certificate and trusts the cluster's authority only.
fn connector(material: &Material) -> Result<TlsConnector, String> {
    let entry = |name| material::entry(material, name).map_err(|error: MaterialError| error.to_string());
    let damaged = |what: &str| format!("the cluster's {what} cannot be used");
    let authority = CertificateDer::from_pem_slice(entry(material::CA_CERTIFICATE)?.as_bytes())
        .map_err(|_| damaged("authority"))?;
    let certificate = CertificateDer::from_pem_slice(entry(material::CLIENT_CERTIFICATE)?.as_bytes())
        .map_err(|_| damaged("client certificate"))?;
    let key =
        PrivateKeyDer::from_pem_slice(entry(material::CLIENT_KEY)?.as_bytes()).map_err(|_| damaged("client key"))?;

    let mut roots = RootCertStore::empty();
    roots.add(authority).map_err(|_| damaged("authority"))?;
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| damaged("TLS provider"))?
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate], key)
        .map_err(|_| damaged("client certificate"))?;
    Ok(TlsConnector::from(Arc::new(config)))
}

async fn ping(connector: &TlsConnector, address: &str, port: u16) -> io::Result<()> {
    let name: IpAddr = address.parse().map_err(io::Error::other)?;
    let stream = TcpStream::connect((name, port)).await?;
    let mut stream = connector.connect(ServerName::from(name), stream).await?;
    stream.write_all(PING).await?;
    let mut status = [0; "HTTP/1.1 200".len()];
    stream.read_exact(&mut status).await?;
    if status.ends_with(b" 200") {
        return Ok(());
    }
    Err(io::Error::other(format!("answer `{}`", String::from_utf8_lossy(&status))))
}
