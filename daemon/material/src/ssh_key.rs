//! SSH keys: the cluster's login key, and machines' host keys.
//!
//! Host keys are derived, not stored: seed and machine name give the same key every time, so a machine whose creation
//! broke off can be completed, and its key is known before it ever answered.

use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use muster_engine::context::Material;
use muster_protocol::{Name, SecretString};
use russh::keys::PrivateKey;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::keys::ssh_key::{self, LineEnding};
use zeroize::Zeroizing;

use crate::material::{self, MaterialError};

const SEED_BYTES: usize = 32;
/// Keeps keys for this purpose apart from whatever else may be derived from the seed one day.
const HOST_KEY_PURPOSE: &[u8] = b"muster ssh host key 1";

/// Why an SSH key could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The system gave no random bytes.
    #[error("no random bytes for a key")]
    Random,
    /// A key could not be derived.
    #[error("a key could not be derived")]
    Derivation,
    /// The seed of the host keys is not 32 bytes in base64.
    #[error("the seed of the host keys is damaged")]
    Seed,
    /// OpenSSH's format.
    #[error("an SSH key cannot be read or written")]
    Format(#[from] ssh_key::Error),
}

/// A machine's host key.
pub struct HostKey(PrivateKey);

impl HostKey {
    /// The host key of this machine, always the same for the same cluster and name.
    pub fn derive(material: &Material, machine: &Name) -> Result<Self, MaterialError> {
        let seed = BASE64.decode(material::entry(material, material::HOST_KEY_SEED)?).map_err(|_| KeyError::Seed)?;
        let seed = Zeroizing::new(seed);
        if seed.len() != SEED_BYTES {
            return Err(KeyError::Seed.into());
        }
        let mut key = Zeroizing::new([0; SEED_BYTES]);
        let info = [machine.as_str().as_bytes()];
        Salt::new(HKDF_SHA256, HOST_KEY_PURPOSE)
            .extract(&seed)
            .expand(&info, Length)
            .and_then(|okm| okm.fill(key.as_mut()))
            .map_err(|_| KeyError::Seed)?;
        Ok(Self(ed25519(&key, machine.as_str())?))
    }

    /// The file that sshd reads.
    pub fn private_text(&self) -> Result<SecretString, KeyError> {
        private_text(&self.0)
    }

    /// The line by which clients know the machine, as in [`muster_engine::ledger::MachineAccess::host_key`].
    pub fn public_text(&self) -> Result<String, KeyError> {
        let mut public = self.0.public_key().clone();
        public.set_comment("");
        Ok(public.to_openssh()?)
    }
}

/// A new random login key.
pub fn generate(comment: &str) -> Result<PrivateKey, KeyError> {
    let mut seed = Zeroizing::new([0; SEED_BYTES]);
    aws_lc_rs::rand::fill(seed.as_mut()).map_err(|_| KeyError::Random)?;
    ed25519(&seed, comment)
}

/// A new seed, as it is kept in the cluster's material.
pub fn random_seed() -> Result<SecretString, KeyError> {
    let mut seed = Zeroizing::new([0; SEED_BYTES]);
    aws_lc_rs::rand::fill(seed.as_mut()).map_err(|_| KeyError::Random)?;
    Ok(SecretString::new(BASE64.encode(seed.as_ref())))
}

/// A private key in OpenSSH's format.
pub fn private_text(key: &PrivateKey) -> Result<SecretString, KeyError> {
    Ok(SecretString::new(key.to_openssh(LineEnding::LF)?.as_str()))
}

/// A public key as one line.
pub fn public_text(key: &PrivateKey) -> Result<String, KeyError> {
    Ok(key.public_key().to_openssh()?)
}

fn ed25519(seed: &[u8; SEED_BYTES], comment: &str) -> Result<PrivateKey, KeyError> {
    Ok(PrivateKey::new(KeypairData::from(Ed25519Keypair::from_seed(seed)), comment)?)
}

/// How many bytes the derivation is to give.
pub(crate) struct Length;

impl KeyType for Length {
    fn len(&self) -> usize {
        SEED_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host_key(material: &Material, machine: &str) -> String {
        HostKey::derive(material, &machine.parse().unwrap()).unwrap().public_text().unwrap()
    }

    #[test]
    fn a_machines_host_key_is_the_same_every_time_and_its_own() {
        let cluster = "demo".parse().unwrap();
        let material = material::create(&cluster).unwrap();
        assert_eq!(host_key(&material, "worker-1"), host_key(&material, "worker-1"));
        assert_ne!(host_key(&material, "worker-1"), host_key(&material, "worker-2"));
        let other = material::create(&cluster).unwrap();
        assert_ne!(host_key(&material, "worker-1"), host_key(&other, "worker-1"));
    }

    #[test]
    fn derived_keys_stay_the_same_across_releases() {
        let mut material = Material::default();
        material.0.insert(material::HOST_KEY_SEED.to_owned(), SecretString::new(BASE64.encode([7; 32])));
        assert_eq!(
            host_key(&material, "worker-1"),
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPs3Koo8tStpYmCrr43wkdIIhRk7EKun9kkrgCadoYMx"
        );
    }

    #[test]
    fn a_damaged_seed_is_an_error_not_another_key() {
        let mut material = Material::default();
        for seed in ["", "AAAA", "not base64!"] {
            material.0.insert(material::HOST_KEY_SEED.to_owned(), SecretString::new(seed));
            assert!(HostKey::derive(&material, &"worker-1".parse().unwrap()).is_err(), "{seed:?}");
        }
    }

    #[test]
    fn the_private_text_reads_back_as_the_same_key() {
        let key = generate("muster demo").unwrap();
        let text = private_text(&key).unwrap();
        let again = PrivateKey::from_openssh(text.expose()).unwrap();
        assert_eq!(public_text(&again).unwrap(), public_text(&key).unwrap());
    }
}
