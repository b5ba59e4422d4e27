//! A cluster's keys and certificates, and the names under which its [`Material`] keeps them.
//!
//! Provisioner, drivers and handlers agree on these names and on nothing else. All values are text: PEM, OpenSSH's own
//! formats, or base64.

use muster_engine::context::Material;
use muster_protocol::{Name, SecretString};

use crate::pki::{Authority, PkiError};
use crate::ssh_key::{self, KeyError};

/// The cluster's own certificate authority: its certificate (PEM). Docker Engines and handler trust nothing else.
pub const CA_CERTIFICATE: &str = "ca-certificate";
/// The authority's private key (PEM, PKCS #8).
pub const CA_KEY: &str = "ca-key";
/// The certificate with which the handler shows itself to the machines (PEM).
pub const CLIENT_CERTIFICATE: &str = "client-certificate";
/// Its private key (PEM, PKCS #8).
pub const CLIENT_KEY: &str = "client-key";
/// The ed25519 key with which Muster logs in to the machines (OpenSSH private key, not encrypted).
pub const SSH_KEY: &str = "ssh-key";
/// Its public half: one line for `authorized_keys`.
pub const SSH_PUBLIC_KEY: &str = "ssh-public-key";
/// 32 random bytes (base64) from which every machine's SSH host key is derived.
pub const HOST_KEY_SEED: &str = "host-key-seed";

/// Why keys or certificates could not be made or used.
#[derive(Debug, thiserror::Error)]
pub enum MaterialError {
    /// An entry that every cluster has is not there.
    #[error("the cluster's material has no `{0}`")]
    Missing(&'static str),
    /// An SSH key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A certificate.
    #[error(transparent)]
    Pki(#[from] PkiError),
}

/// Makes everything that a new cluster of this name needs.
pub fn create(cluster: &Name) -> Result<Material, MaterialError> {
    let authority = Authority::create(cluster)?;
    let client = authority.issue_client()?;
    let login = ssh_key::generate(&format!("muster {cluster}"))?;

    let mut material = Material::default();
    let mut keep = |name: &str, value: SecretString| material.0.insert(name.to_owned(), value);
    keep(CA_CERTIFICATE, SecretString::new(authority.certificate_pem()));
    keep(CA_KEY, authority.key_pem());
    keep(CLIENT_CERTIFICATE, SecretString::new(client.certificate_pem));
    keep(CLIENT_KEY, client.key_pem);
    keep(SSH_KEY, ssh_key::private_text(&login)?);
    keep(SSH_PUBLIC_KEY, SecretString::new(ssh_key::public_text(&login)?));
    keep(HOST_KEY_SEED, ssh_key::random_seed()?);
    Ok(material)
}

/// The entry of this name.
pub fn entry<'a>(material: &'a Material, name: &'static str) -> Result<&'a str, MaterialError> {
    material.get(name).ok_or(MaterialError::Missing(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_cluster_has_every_entry_and_no_two_clusters_share_one() {
        let name: Name = "demo".parse().unwrap();
        let (one, other) = (create(&name).unwrap(), create(&name).unwrap());
        for entry in [CA_CERTIFICATE, CA_KEY, CLIENT_CERTIFICATE, CLIENT_KEY, SSH_KEY, SSH_PUBLIC_KEY, HOST_KEY_SEED] {
            assert!(one.get(entry).is_some(), "{entry}");
            assert_ne!(one.get(entry), other.get(entry), "{entry}");
        }
    }

    #[test]
    fn a_missing_entry_is_named() {
        let error = entry(&Material::default(), CA_KEY).unwrap_err();
        assert_eq!(error.to_string(), "the cluster's material has no `ca-key`");
    }
}
