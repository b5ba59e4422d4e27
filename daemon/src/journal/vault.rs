//! Sealed things: a cluster's keys and certificates, the values of services' secrets, accounts' credentials.

use std::collections::BTreeMap;

use muster_engine::context::Material;
use muster_protocol::{ClusterId, Name, SecretBytes, SecretString, ServiceId};
use muster_store::codec::CodecError;
use muster_store::{Batch, BatchError, ReadError, Sealer, Store, codec};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

/// The values of one version of a service's secrets, by the secrets' names.
pub type SecretValues = BTreeMap<Name, SecretBytes>;

/// Reads and writes sealed things.
#[derive(Clone)]
pub struct Vault {
    store: Store,
    sealer: Sealer,
}

/// Where a cluster's material lies.
pub fn material_key(cluster: ClusterId) -> Vec<u8> {
    [b"material/".as_slice(), cluster.as_bytes()].concat()
}

/// Where one version of a service's secrets lies.
pub fn secrets_key(service: ServiceId, version: u64) -> Vec<u8> {
    [b"service/".as_slice(), service.as_bytes(), &version.to_be_bytes()].concat()
}

/// Where a value lies that a handler's session keeps sealed.
pub fn kept_key(cluster: ClusterId, key: &str) -> Vec<u8> {
    [b"kept/".as_slice(), cluster.as_bytes(), key.as_bytes()].concat()
}

/// Where an account's credentials lie.
pub fn credentials_key(account: &Name) -> Vec<u8> {
    [b"account/".as_slice(), account.as_str().as_bytes()].concat()
}

/// Why a sealed thing could not be read.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The store could not be read, or the thing could not be unsealed.
    #[error("cannot read a sealed value")]
    Read(#[from] ReadError),
    /// What was sealed is not what is read.
    #[error("cannot decode a sealed value")]
    Codec(#[from] CodecError),
}

impl Vault {
    /// A vault in this store, under this key.
    pub fn new(store: Store, sealer: Sealer) -> Self {
        Self { store, sealer }
    }

    /// The fingerprint of a text that may have secrets in it; see [`Sealer::fingerprint`].
    pub fn fingerprint(&self, text: &[u8]) -> [u8; 32] {
        self.sealer.fingerprint(text)
    }

    /// A cluster's material.
    pub async fn material(&self, cluster: ClusterId) -> Result<Option<Material>, VaultError> {
        self.read(&material_key(cluster)).await
    }

    /// Adds a cluster's material to a batch.
    pub fn put_material(&self, batch: &mut Batch, cluster: ClusterId, material: &Material) -> Result<(), BatchError> {
        self.put(batch, &material_key(cluster), material)
    }

    /// One version of a service's secrets; none if the service has none.
    pub async fn secrets(&self, service: ServiceId, version: u64) -> Result<SecretValues, VaultError> {
        Ok(self.read(&secrets_key(service, version)).await?.unwrap_or_default())
    }

    /// Adds one version of a service's secrets to a batch.
    pub fn put_secrets(
        &self,
        batch: &mut Batch,
        service: ServiceId,
        version: u64,
        values: &SecretValues,
    ) -> Result<(), BatchError> {
        self.put(batch, &secrets_key(service, version), values)
    }

    /// A value that a handler's session keeps sealed.
    pub async fn kept(&self, cluster: ClusterId, key: &str) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        Ok(self.store.get_sealed(&self.sealer, &kept_key(cluster, key)).await?)
    }

    /// Adds a value that a handler's session keeps sealed to a batch.
    pub fn put_kept(&self, batch: &mut Batch, cluster: ClusterId, key: &str, value: &[u8]) -> Result<(), BatchError> {
        batch.put_sealed(&self.sealer, &kept_key(cluster, key), value)?;
        Ok(())
    }

    /// An account's credentials.
    pub async fn credentials(&self, account: &Name) -> Result<BTreeMap<String, SecretString>, VaultError> {
        Ok(self.read(&credentials_key(account)).await?.unwrap_or_default())
    }

    /// Adds an account's credentials to a batch.
    pub fn put_credentials(
        &self,
        batch: &mut Batch,
        account: &Name,
        credentials: &BTreeMap<String, SecretString>,
    ) -> Result<(), BatchError> {
        self.put(batch, &credentials_key(account), credentials)
    }

    fn put<T: Serialize>(&self, batch: &mut Batch, key: &[u8], value: &T) -> Result<(), BatchError> {
        let plaintext = Zeroizing::new(codec::encode(value)?);
        batch.put_sealed(&self.sealer, key, &plaintext)?;
        Ok(())
    }

    async fn read<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, VaultError> {
        let Some(plaintext) = self.store.get_sealed(&self.sealer, key).await? else { return Ok(None) };
        Ok(Some(codec::decode(&plaintext)?))
    }
}
