//! What the cluster's certificates prove, tried with real handshakes.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use muster_engine::context::Material;
use muster_engine::failure::Failure;
use muster_protocol::Name;
use muster_provision::docker_engine::wait_until_it_answers;
use muster_provision::material;
use muster_provision::pki::Authority;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn cluster() -> Name {
    "demo".parse().unwrap()
}

/// A stand-in for a machine's Docker Engine: mutual TLS with the certificate that the authority issues for this address.
async fn engine(material: &Material, address: IpAddr) -> u16 {
    let entry = |name| material.get(name).unwrap();
    let authority = Authority::load(&cluster(), entry(material::CA_CERTIFICATE), entry(material::CA_KEY)).unwrap();
    let identity = authority.issue_server(&"worker-1".parse().unwrap(), address).unwrap();
    let mut trusted = RootCertStore::empty();
    trusted.add(CertificateDer::from_pem_slice(entry(material::CA_CERTIFICATE).as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(trusted), Arc::clone(&provider)).build().unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(identity.certificate_pem.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(identity.key_pem.expose().as_bytes()).unwrap(),
        )
        .unwrap();

    let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = [0; 1024];
            let _request = stream.read(&mut request).await;
            let _written = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nOK").await;
        }
    });
    port
}

async fn ask(material: &Material, port: u16) -> Result<(), Failure> {
    wait_until_it_answers(material, &LOOPBACK.to_string(), port, Duration::from_millis(300)).await
}

#[tokio::test]
async fn the_handler_and_a_machine_of_its_cluster_trust_each_other() {
    let material = material::create(&cluster()).unwrap();
    let port = engine(&material, LOOPBACK).await;
    ask(&material, port).await.unwrap();
}

#[tokio::test]
async fn a_certificate_for_another_address_is_refused() {
    let material = material::create(&cluster()).unwrap();
    let port = engine(&material, IpAddr::V4(Ipv4Addr::new(10, 213, 0, 2))).await;
    let failure = ask(&material, port).await.unwrap_err();
    assert!(failure.message.contains("certificate"), "{failure}");
}

#[tokio::test]
async fn the_machines_of_another_cluster_are_refused_even_of_the_same_name() {
    let port = engine(&material::create(&cluster()).unwrap(), LOOPBACK).await;
    let failure = ask(&material::create(&cluster()).unwrap(), port).await.unwrap_err();
    assert!(failure.message.contains("certificate"), "{failure}");
}

#[tokio::test]
async fn a_machine_refuses_the_client_certificate_of_another_cluster() {
    let (own, other) = (material::create(&cluster()).unwrap(), material::create(&cluster()).unwrap());
    let port = engine(&own, LOOPBACK).await;
    let mut mixed = own.clone();
    for name in [material::CLIENT_CERTIFICATE, material::CLIENT_KEY] {
        mixed.0.insert(name.to_owned(), other.0[name].clone());
    }
    ask(&mixed, port).await.unwrap_err();
    ask(&own, port).await.unwrap();
}

#[tokio::test]
async fn a_servers_certificate_does_not_pass_for_a_clients() {
    let material = material::create(&cluster()).unwrap();
    let port = engine(&material, LOOPBACK).await;
    let entry = |name| material.get(name).unwrap();
    let authority = Authority::load(&cluster(), entry(material::CA_CERTIFICATE), entry(material::CA_KEY)).unwrap();
    let machine = authority.issue_server(&"worker-1".parse().unwrap(), LOOPBACK).unwrap();
    let mut stolen = material.clone();
    let certificate = muster_protocol::SecretString::new(machine.certificate_pem);
    stolen.0.insert(material::CLIENT_CERTIFICATE.to_owned(), certificate);
    stolen.0.insert(material::CLIENT_KEY.to_owned(), machine.key_pem);
    ask(&stolen, port).await.unwrap_err();
}
