//! How a cluster's API is reached: over TLS that trusts the cluster's own authority and nothing else, with a client
//! certificate that Muster issues itself, or with a kubeconfig that somebody gave.

mod authority;
mod given;
mod kubeconfig;
mod person;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kube::Client;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use muster_engine::failure::Failure;
use muster_engine::member::Member;
use muster_protocol::{ErrorCode, SecretString};

pub use authority::{AUTHORITY_CERTIFICATE, AUTHORITY_KEY, AuthorityConnector};
pub use given::KubeconfigConnector;
pub use kubeconfig::kubeconfig;
pub(crate) use person::person;

/// Where an API server listens.
pub const API_PORT: u16 = 6443;

/// How long to wait for a connection: a machine that lives answers in milliseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait for the next bytes of an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// An API server that could be asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// The machine's name, or another word for it; for messages.
    pub name: String,
    /// Its address; empty if the connector knows it.
    pub address: String,
}

/// Clients of one API server.
pub struct Clients {
    /// For requests: an answer that does not come is given up.
    pub requests: Client,
    /// For what goes on for long: output that is followed, terminals, ports, watches. Silence ends nothing here.
    pub streams: Client,
    /// Where it answers, as `https://…`.
    pub url: String,
}

/// How the API of a cluster is reached. The seam for tests and for clusters that others made.
#[async_trait]
pub trait Connector: Send + Sync {
    /// The servers that could be asked, of the machines that there are.
    fn candidates(&self, members: &[Member]) -> Vec<Candidate>;

    /// Clients of one of them: the same ones every time, until their certificate is renewed. Does not connect yet.
    async fn connect(&self, candidate: &Candidate) -> Result<Arc<Clients>, Failure>;
}

/// Clients that are made from a kubeconfig.
async fn clients(kubeconfig: &SecretString) -> Result<Clients, Failure> {
    let unusable = |error: &dyn std::error::Error| {
        let why = muster_engine::words::chain(error);
        Failure::not_applied(ErrorCode::Credentials, format!("the kubeconfig cannot be used: {why}")).permanent()
    };
    let parsed = Kubeconfig::from_yaml(kubeconfig.expose()).map_err(|error| unusable(&error))?;
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(parsed, &options).await.map_err(|error| unusable(&error))?;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.write_timeout = Some(ANSWER_TIMEOUT);
    // The engine tries again by itself, with its own pace.
    config.default_retry = false;
    let url = config.cluster_url.to_string().trim_end_matches('/').to_owned();
    let streams = Client::try_from(config.clone()).map_err(|error| unusable(&error))?;
    config.read_timeout = Some(ANSWER_TIMEOUT);
    config.reset_reader_on_write = true;
    let requests = Client::try_from(config).map_err(|error| unusable(&error))?;
    Ok(Clients { requests, streams, url })
}

/// `https://address:port`, with the brackets that IPv6 wants.
pub fn server_url(address: &str) -> String {
    if address.contains(':') {
        format!("https://[{address}]:{API_PORT}")
    } else {
        format!("https://{address}:{API_PORT}")
    }
}
