//! TLS: certificates, client certificates, and new ones without a restart.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use muster_tests::bridge::Bridge;
use muster_tests::daemon::Daemon;
use muster_tests::http::Http;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore};

/// An authority, as an operator has one.
fn authority(name: &str) -> Result<CertifiedIssuer<'static, KeyPair>> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

/// A certificate of it with its key, PEM and DER.
struct Issued {
    pem: String,
    key_pem: String,
    der: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

fn issue(authority: &CertifiedIssuer<'static, KeyPair>) -> Result<Issued> {
    let key = KeyPair::generate()?;
    let certificate =
        CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()])?.signed_by(&key, authority)?;
    Ok(Issued {
        pem: certificate.pem(),
        key_pem: key.serialize_pem(),
        der: certificate.der().clone(),
        key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
    })
}

fn write(folder: &Path, issued: &Issued) -> Result<()> {
    std::fs::write(folder.join("cert.pem"), &issued.pem)?;
    std::fs::write(folder.join("key.pem"), &issued.key_pem).context("cannot write")
}

fn caller(address: &str, trusted: &CertifiedIssuer<'static, KeyPair>, own: Option<Issued>) -> Result<Http> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.der().clone())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let builder = builder.with_root_certificates(roots);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some(own) => builder.with_client_auth_cert(vec![own.der], own.key)?,
    };
    Ok(Http::new(address, Some(config)))
}

#[tokio::test]
async fn a_new_certificate_is_served_without_a_restart_and_a_bad_one_changes_nothing() -> Result<()> {
    let daemon = Daemon::start(crate::support::TRUSTED).await?;
    let folder = tempfile::tempdir()?;
    let (first, second) = (authority("first")?, authority("second")?);
    write(folder.path(), &issue(&first)?)?;
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let tls = format!("[tls]\ncertificate = \"{}\"\nkey = \"{}\"\n", cert.display(), key.display());
    let bridge = Bridge::start_in(folder, &daemon.socket(), &tls).await?;
    assert!(bridge.address().starts_with("https://"), "{}", bridge.address());
    let token = daemon.token("ada", "admin", &[]).await?;
    let (of_first, of_second) = (caller(bridge.address(), &first, None)?, caller(bridge.address(), &second, None)?);
    of_first.with_token(&token)?.get("/v1/whoami").await?.expect(200)?;
    of_second.get("/healthz").await.err().context("an unknown authority was trusted")?;
    let session = of_first.post("/session", serde_json::json!({"token": token})).await?.expect(200)?;
    let cookie = session.header("set-cookie");
    assert!(cookie.starts_with("__Host-muster=") && cookie.contains("; Secure"), "{cookie}");

    write(bridge.folder(), &issue(&second)?)?;
    bridge.reload().await?;
    caller(bridge.address(), &second, None)?.with_token(&token)?.get("/v1/whoami").await?.expect(200)?;
    std::fs::write(bridge.folder().join("cert.pem"), "no certificate")?;
    bridge.reload().await?;
    caller(bridge.address(), &second, None)?.with_token(&token)?.get("/v1/whoami").await?.expect(200)?;
    assert!(bridge.log().contains("certificates stay as they were"));
    Ok(())
}

#[tokio::test]
async fn where_client_certificates_are_required_one_of_the_right_authority_and_a_token_are_needed() -> Result<()> {
    let daemon = Daemon::start(crate::support::TRUSTED).await?;
    let folder = tempfile::tempdir()?;
    let (servers, clients, strangers) = (authority("servers")?, authority("clients")?, authority("strangers")?);
    write(folder.path(), &issue(&servers)?)?;
    std::fs::write(folder.path().join("clients.pem"), clients.pem())?;
    let at = |file: &str| folder.path().join(file).display().to_string();
    let (cert, key, ca) = (at("cert.pem"), at("key.pem"), at("clients.pem"));
    let tls = format!("[tls]\ncertificate = \"{cert}\"\nkey = \"{key}\"\nclient_ca = \"{ca}\"\n");
    let bridge = Bridge::start_in(folder, &daemon.socket(), &tls).await?;
    let token = daemon.token("ada", "admin", &[]).await?;
    let known = caller(bridge.address(), &servers, Some(issue(&clients)?))?;
    known.with_token(&token)?.get("/v1/whoami").await?.expect(200)?;
    known.get("/v1/whoami").await?.problem(401, "unauthenticated")?;
    let none = caller(bridge.address(), &servers, None)?.with_token(&token)?;
    none.get("/v1/whoami").await.err().context("a client without a certificate was let in")?;
    let stranger = caller(bridge.address(), &servers, Some(issue(&strangers)?))?.with_token(&token)?;
    stranger.get("/v1/whoami").await.err().context("a stranger's certificate was taken")?;
    Ok(())
}
