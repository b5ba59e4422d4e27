//! What an image's tag means. The daemon asks the image's registry once for each submission, and every copy runs the digest
//! that it said, whichever machine pulls it and whenever.
//!
//! Without an answer the tag is submitted as it is: the machines may reach a registry that the daemon does not reach, and
//! those that cannot pull the image say why in their own words.

use std::net::Ipv4Addr;
use std::time::Duration;

use async_trait::async_trait;
use muster_engine::login::{self, RegistryLogin};
use muster_engine::words::{self, chain};
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError as RegistryError;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};

/// How long a registry may take, the way to its login service included. The submission waits for it.
const LIMIT: Duration = Duration::from_secs(5);
/// The longest reason that is kept, in bytes.
const LONGEST_REASON: usize = 300;
/// What stands for each machine's own gateway in the options of a cluster.
const GATEWAY: &str = "{gateway}:";

/// Those who know what tags mean.
#[async_trait]
pub trait Registries: Send + Sync {
    /// The digest that the image's tag means now, or why that is not known.
    async fn digest(&self, image: &str, login: Option<&RegistryLogin>) -> Result<String, String>;
}

/// Nobody is asked, and each machine resolves tags for itself.
pub struct Unasked;

#[async_trait]
impl Registries for Unasked {
    async fn digest(&self, _image: &str, _login: Option<&RegistryLogin>) -> Result<String, String> {
        Err("the cluster's option `imageDigests` says that its registry is not asked".to_owned())
    }
}

/// The registries themselves, as this host reaches them.
pub struct AskedRegistries {
    insecure: Vec<String>,
}

impl AskedRegistries {
    /// Asks over TLS, but for these registries (`host:port`), which the cluster's machines reach without.
    pub fn new(insecure: Vec<String>) -> Self {
        Self { insecure }
    }

    fn has_no_tls(&self, registry: &str) -> bool {
        self.insecure.iter().any(|one| one == registry)
    }

    /// Whether it may be the one on the machines' own gateway, whose address is not known here. So it is asked without TLS,
    /// and is told no login.
    fn may_be_on_a_gateway(&self, registry: &str) -> bool {
        let Some((host, port)) = registry.rsplit_once(':') else { return false };
        let is_its_port = |one: &String| one.strip_prefix(GATEWAY) == Some(port);
        host.parse::<Ipv4Addr>().is_ok() && self.insecure.iter().any(is_its_port)
    }

    async fn ask(&self, image: &str, login: Option<&RegistryLogin>) -> Result<String, String> {
        let reference = image.parse::<Reference>();
        let reference = reference.map_err(|error| format!("the image's name is not understood: {error}"))?;
        let registry = login::registry_of(image);
        let on_gateway = !self.has_no_tls(registry) && self.may_be_on_a_gateway(registry);
        let protocol =
            if on_gateway || self.has_no_tls(registry) { ClientProtocol::Http } else { ClientProtocol::Https };
        let auth = match login.filter(|_| !on_gateway) {
            Some(login) => RegistryAuth::Basic(login.user.clone(), login.password.expose().to_owned()),
            None => RegistryAuth::Anonymous,
        };
        let client = Client::try_from(ClientConfig { protocol, ..ClientConfig::default() });
        let client = client.map_err(|error| format!("it cannot be asked: {}", chain(&error)))?;
        let digest = client.fetch_manifest_digest(&reference, &auth).await;
        let digest = digest.map_err(|error| login::explained(&words_of(&error), image, login.is_some()))?;
        if is_digest(&digest) { Ok(digest) } else { Err("what its registry says is no digest".to_owned()) }
    }

    async fn ask_in_time(&self, image: &str, login: Option<&RegistryLogin>) -> Result<String, String> {
        let asked = tokio::time::timeout(LIMIT, self.ask(image, login)).await;
        asked.unwrap_or_else(|_| Err(format!("its registry did not answer within {} s", LIMIT.as_secs())))
    }
}

#[async_trait]
impl Registries for AskedRegistries {
    async fn digest(&self, image: &str, login: Option<&RegistryLogin>) -> Result<String, String> {
        let registry = login::registry_of(image);
        if is_on_each_machine(registry) {
            return Err(format!("{registry} is another registry on each machine"));
        }
        self.ask_in_time(image, login).await.map_err(|why| words::at_most(LONGEST_REASON, why))
    }
}

/// What a registry's refusal says to people. Texts of servers are left out: a registry may send the daemon to any other
/// server that it reaches, and what that one says is not for everybody.
fn words_of(error: &RegistryError) -> String {
    if let RegistryError::RequestError(error) = error {
        return format!("its registry cannot be asked: {}", chain(error));
    }
    if let RegistryError::RegistryError { envelope, .. } = error {
        let codes: Vec<String> = envelope.errors.iter().map(|error| format!("{:?}", error.code)).collect();
        return format!("its registry answers: {}", codes.join(", "));
    }
    if let RegistryError::ServerError { code, .. } = error {
        return format!("its registry answers with status {code}");
    }
    if matches!(error, RegistryError::UnauthorizedError { .. } | RegistryError::AuthenticationFailure(_)) {
        return "its registry answers: unauthorized".to_owned();
    }
    "its registry's answer is not understood".to_owned()
}

/// Whether a registry's name means another one wherever it is said.
fn is_on_each_machine(registry: &str) -> bool {
    let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// The image, pinned to a digest. One that is named by a digest stays as it is.
pub(crate) fn pinned(image: &str, digest: Option<&str>) -> String {
    match digest.filter(|_| digest_in(image).is_none()) {
        Some(digest) => format!("{image}@{digest}"),
        None => image.to_owned(),
    }
}

/// The digest in an image's name.
pub(crate) fn digest_in(image: &str) -> Option<&str> {
    image.split_once('@').map(|(_, digest)| digest)
}

/// What comes from a registry becomes part of a name: `sha256:` and nothing but hexadecimal digits.
fn is_digest(text: &str) -> bool {
    let digits = text.strip_prefix("sha256:").or_else(|| text.strip_prefix("sha512:"));
    digits.is_some_and(|digits| digits.len() >= 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests;
