//! Sealing of secrets.
//!
//! ```text
//! version 1 (1) | key id (8) | nonce (12) | ciphertext and tag            AES-256-GCM-SIV
//! ```
//! GCM-SIV, because nonces are random: should one ever repeat, plain GCM would give its key away, SIV only that two
//! values are equal. Table and key are authenticated with the value, so that a sealed value cannot be moved to another
//! place and pass for the secret that belongs there.

use std::{
    fmt, fs,
    io::{self, Read},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use aws_lc_rs::{
    aead::{AES_256_GCM_SIV, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    digest::{SHA256, digest},
    hmac::{self, HMAC_SHA256},
};
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use crate::{
    ReadError, Store, Table,
    directory::{create_private_dir, replace_file, sync_dir},
    rotation,
};

/// Envelope schema of sealed values.
pub(crate) const SEALED_SCHEMA: u16 = 1;
const VERSION: u8 = 1;
const KEY_LEN: usize = 32;
const KEY_ID_LEN: usize = 8;
const HEADER_LEN: usize = 1 + KEY_ID_LEN + NONCE_LEN;

/// Where the sealing key comes from: 32 raw bytes in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// A systemd credential; systemd guards it, and it is never created here.
    Credential(PathBuf),
    /// A file of mode 0600, created at first start.
    KeyFile(PathBuf),
}

/// Why there is no sealer.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The key file could not be read or made.
    #[error("cannot use the sealing key {}", path.display())]
    Io {
        /// The key's file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// Others could read or replace the key.
    #[error("the sealing key {} must be a plain file of mode 0600 owned by user {expected_uid}; it has mode {mode:04o} \
             and owner {uid}: correct it with chown and chmod, and replace the secrets if others may have read it", path.display())]
    Exposed {
        /// The key's file.
        path: PathBuf,
        /// Its mode bits.
        mode: u32,
        /// Its owner.
        uid: u32,
        /// Who should own it.
        expected_uid: u32,
    },
    /// Not a key.
    #[error("the sealing key {} holds {length} bytes instead of {KEY_LEN}; put the right file back", path.display())]
    Length {
        /// The key's file.
        path: PathBuf,
        /// Bytes found.
        length: usize,
    },
    /// The key is gone while secrets depend on it. A new one could never open them.
    #[error("the store holds {sealed} sealed secrets, but their key {} is gone; put the key file back", path.display())]
    Gone {
        /// The key's file.
        path: PathBuf,
        /// How many secrets depend on it.
        sealed: usize,
    },
    /// The store's secrets were sealed under another key.
    #[error("{foreign} of the store's secrets were sealed under another key than {}; put the right key back", path.display())]
    Wrong {
        /// The key's file.
        path: PathBuf,
        /// How many secrets it cannot open.
        foreign: usize,
    },
    /// No random numbers, or the key is not usable.
    #[error("the cryptographic library refused: {0}")]
    Crypto(&'static str),
    /// The store could not be asked for its secrets.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Why a value was not sealed or unsealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The cryptographic library refused.
    #[error("sealing failed")]
    Seal,
    /// Not a sealed value.
    #[error("the value is not in the format of sealed values")]
    Format,
    /// Sealed under another key.
    #[error("the value was sealed under another key; put the right key back")]
    OtherKey,
    /// Changed, or moved from another place.
    #[error("the sealed value is not authentic: it was changed or belongs to another record")]
    NotAuthentic,
}

/// Seals and unseals under one key. Clones share it.
#[derive(Clone)]
pub struct Sealer {
    key: Arc<RandomizedNonceKey>,
    key_id: [u8; KEY_ID_LEN],
    fingerprints: hmac::Key,
}

/// Nothing of the key is shown.
impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(..)")
    }
}

impl Sealer {
    /// Loads the key, or creates the key file if the store holds no secrets yet, and checks that the key is the one that
    /// the store's secrets were sealed under.
    pub async fn load(store: &Store, source: KeySource) -> Result<Sealer, KeyError> {
        let sealed = store.sealed_values().await?;
        let loading = spawn_blocking(move || Self::load_blocking(&source, &sealed));
        loading.await.unwrap_or(Err(KeyError::Crypto("loading was interrupted")))
    }

    fn load_blocking(source: &KeySource, sealed: &[Vec<u8>]) -> Result<Sealer, KeyError> {
        let path = match source {
            KeySource::Credential(path) | KeySource::KeyFile(path) => path,
        };
        if let KeySource::KeyFile(path) = source {
            rotation::settle(path, sealed)?;
        }
        let key = match (read_key(source), source) {
            (Ok(key), _) => key,
            (Err(KeyError::Io { source: error, .. }), KeySource::KeyFile(path))
                if error.kind() == io::ErrorKind::NotFound =>
            {
                if !sealed.is_empty() {
                    return Err(KeyError::Gone { path: path.clone(), sealed: sealed.len() });
                }
                create_key(path)?
            }
            (Err(error), _) => return Err(error),
        };
        let sealer = Self::new(&key)?;
        let foreign = sealed.iter().filter(|value| !sealer.has_sealed(value)).count();
        if foreign > 0 {
            return Err(KeyError::Wrong { path: path.clone(), foreign });
        }
        Ok(sealer)
    }

    /// A sealer under this very key.
    pub fn new(key: &[u8; KEY_LEN]) -> Result<Sealer, KeyError> {
        let aead = RandomizedNonceKey::new(&AES_256_GCM_SIV, key).map_err(|_| KeyError::Crypto("unusable key"))?;
        let mut labelled = Zeroizing::new(b"muster store key id\0".to_vec());
        labelled.extend_from_slice(key);
        let hash = digest(&SHA256, &labelled);
        let mut key_id = [0; KEY_ID_LEN];
        key_id.copy_from_slice(&hash.as_ref()[..KEY_ID_LEN]);
        // A key of its own for each purpose.
        let derived = hmac::sign(&hmac::Key::new(HMAC_SHA256, key), b"muster store fingerprints\0");
        let fingerprints = hmac::Key::new(HMAC_SHA256, derived.as_ref());
        Ok(Sealer { key: Arc::new(aead), key_id, fingerprints })
    }

    /// Whether a sealed value, as it is stored, was sealed under this key.
    pub(crate) fn has_sealed(&self, sealed: &[u8]) -> bool {
        sealed.get(1..=KEY_ID_LEN) == Some(&self.key_id[..])
    }

    /// What tells whether two texts are the same, and nothing of them to somebody without the key: not even whether
    /// one was guessed right.
    pub fn fingerprint(&self, text: &[u8]) -> [u8; 32] {
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(hmac::sign(&self.fingerprints, text).as_ref());
        fingerprint
    }

    /// Seals `plaintext` for this place.
    pub fn seal(&self, table: Table, key: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut in_out = Zeroizing::new(Vec::with_capacity(plaintext.len() + AES_256_GCM_SIV.tag_len()));
        in_out.extend_from_slice(plaintext);
        let nonce =
            self.key.seal_in_place_append_tag(self.aad(table, key), &mut *in_out).map_err(|_| SealError::Seal)?;
        let mut sealed = Vec::with_capacity(HEADER_LEN + in_out.len());
        sealed.push(VERSION);
        sealed.extend_from_slice(&self.key_id);
        sealed.extend_from_slice(nonce.as_ref());
        sealed.extend_from_slice(&in_out);
        Ok(sealed)
    }

    /// Unseals what was sealed for this place.
    pub fn unseal(&self, table: Table, key: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (&version, rest) = sealed.split_first().ok_or(SealError::Format)?;
        let (key_id, rest) = rest.split_first_chunk::<KEY_ID_LEN>().ok_or(SealError::Format)?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_LEN>().ok_or(SealError::Format)?;
        if version != VERSION {
            return Err(SealError::Format);
        }
        if *key_id != self.key_id {
            return Err(SealError::OtherKey);
        }
        let mut in_out = Zeroizing::new(ciphertext.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self.key.open_in_place(nonce, self.aad(table, key), &mut in_out);
        let length = opened.map_err(|_| SealError::NotAuthentic)?.len();
        in_out.truncate(length);
        Ok(in_out)
    }

    /// The header and the place.
    fn aad(&self, table: Table, key: &[u8]) -> Aad<Vec<u8>> {
        let mut aad = vec![VERSION];
        aad.extend_from_slice(&self.key_id);
        aad.extend_from_slice(&table.full_key(key));
        Aad::from(aad)
    }
}

pub(crate) fn read_key(source: &KeySource) -> Result<Zeroizing<[u8; KEY_LEN]>, KeyError> {
    let (path, ours) = match source {
        KeySource::Credential(path) => (path, false),
        KeySource::KeyFile(path) => (path, true),
    };
    let io = |source| KeyError::Io { path: path.clone(), source };
    let no_follow = rustix::fs::OFlags::NOFOLLOW.bits() as i32;
    let mut file =
        fs::OpenOptions::new().read(true).custom_flags(if ours { no_follow } else { 0 }).open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    let (mode, uid) = (metadata.mode() & 0o7777, metadata.uid());
    let expected_uid = rustix::process::geteuid().as_raw();
    if ours && (!metadata.is_file() || mode & 0o177 != 0 || uid != expected_uid) {
        return Err(KeyError::Exposed { path: path.clone(), mode, uid, expected_uid });
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(KEY_LEN + 1));
    file.by_ref().take(KEY_LEN as u64 + 1).read_to_end(&mut bytes).map_err(io)?;
    let mut key = Zeroizing::new([0; KEY_LEN]);
    if bytes.len() != KEY_LEN {
        return Err(KeyError::Length { path: path.clone(), length: bytes.len() });
    }
    key.copy_from_slice(&bytes);
    Ok(key)
}

/// Makes a key and puts it there.
pub(crate) fn create_key(path: &Path) -> Result<Zeroizing<[u8; KEY_LEN]>, KeyError> {
    let mut key = Zeroizing::new([0; KEY_LEN]);
    aws_lc_rs::rand::fill(&mut key[..]).map_err(|_| KeyError::Crypto("no random numbers"))?;
    let io = |source| KeyError::Io { path: path.to_owned(), source };
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    create_private_dir(parent).map_err(io)?;
    replace_file(path, &key[..]).map_err(io)?;
    sync_dir(parent).map_err(io)?;
    Ok(key)
}
