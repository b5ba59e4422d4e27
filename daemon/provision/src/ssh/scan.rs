//! The host keys that an SSH server shows, before anything is said to it.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use russh::client;
use russh::keys::ssh_key::{Algorithm, EcdsaCurve};
use russh::keys::{HashAlg, PublicKey, PublicKeyOrCertificate};
use russh::{Disconnect, Preferred};
use tokio::time::timeout;

/// The kinds of keys that are asked for, the best first.
const KINDS: [Algorithm; 2] = [Algorithm::Ed25519, Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 }];

/// The fingerprint by which people know a key: `SHA256:…`.
pub fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

/// The host keys that the server at this address shows, at most one of a kind, the best first; none if nobody answers
/// within `limit`. Nothing is sent to it but which kind is wanted.
pub async fn scan(address: &str, port: u16, limit: Duration) -> Vec<PublicKey> {
    let [best, other] = KINDS;
    let (best, other) = tokio::join!(shown(address, port, best, limit), shown(address, port, other, limit));
    best.into_iter().chain(other).collect()
}

/// The host key of this kind that the server at this address shows; none if nobody answers within `limit`, or it has none.
pub async fn shown(address: &str, port: u16, kind: Algorithm, limit: Duration) -> Option<PublicKey> {
    let config = client::Config {
        preferred: Preferred { key: Cow::Owned(vec![kind]), ..Preferred::default() },
        ..client::Config::default()
    };
    let seen = Arc::new(OnceLock::new());
    let looker = Looker { seen: Arc::clone(&seen) };
    // It ends with an error: the key is seen and then refused, before anything of ours was said.
    let connected = timeout(limit, client::connect(Arc::new(config), (address, port), looker)).await;
    if let Ok(Ok(handle)) = connected {
        let _ = handle.disconnect(Disconnect::ByApplication, "", "en").await;
    }
    seen.get().cloned()
}

/// Remembers the host key and goes away.
struct Looker {
    seen: Arc<OnceLock<PublicKey>>,
}

impl client::Handler for Looker {
    type Error = russh::Error;

    async fn check_server_key(&mut self, offered: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        let _ = self.seen.set(offered.public_key());
        Ok(false)
    }
}
