//! The list of tokens in memory, as it is on disk, and their form: `mst_NAME_SECRET`. Of the secret only a hash is kept.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use aws_lc_rs::{constant_time, digest, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use muster_protocol::{Error, ErrorCode, Name, SecretString, Timestamp};
use muster_store::{ReadError, Store};
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::journal::records::StoredToken;

const PREFIX: &str = "mst_";
const SECRET_BYTES: usize = 32;

/// Between two looks whether a token has ended, whatever the clock does.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// SHA-256 of a secret.
pub type SecretHash = [u8; 32];

/// Compared with when there is no such token, so that its absence takes as long.
const NOBODYS: SecretHash = [0; 32];

/// All tokens.
#[derive(Default)]
pub struct TokenBook {
    known: RwLock<BTreeMap<Name, StoredToken>>,
    /// Wakes those who wait for the end of a token.
    changed: watch::Sender<()>,
    /// Held while the list changes, so that memory follows the disk in its order.
    pub changing: tokio::sync::Mutex<()>,
}

impl TokenBook {
    /// Those on disk.
    pub async fn load(store: &Store) -> Result<Self, ReadError> {
        let stored = store.scan::<StoredToken>(&[]).await?;
        let known = stored.into_iter().map(|token| (token.name.clone(), token)).collect();
        Ok(Self { known: RwLock::new(known), ..Self::default() })
    }

    /// The token that this text is, if it holds now. Takes as long for a wrong one as for a right one.
    pub fn resolve(&self, text: &str, now: Timestamp) -> Option<StoredToken> {
        let (name, secret) = text.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_')).unwrap_or_default();
        let known = self.read();
        let token = known.get(name);
        let is_right = is_same(&hash_of(secret), token.map_or(&NOBODYS, |token| &token.sha256));
        token.filter(|token| is_right && now < token.expires_at).cloned()
    }

    /// The token of this name, if it holds now.
    pub fn holding(&self, name: &str, now: Timestamp) -> Option<StoredToken> {
        self.read().get(name).filter(|token| now < token.expires_at).cloned()
    }

    /// The token of this name, whether it holds or not.
    pub fn find(&self, name: &Name) -> Option<StoredToken> {
        self.read().get(name.as_str()).cloned()
    }

    /// Every token, by name.
    pub fn all(&self) -> Vec<StoredToken> {
        self.read().values().cloned().collect()
    }

    /// Notes a token that is on disk now.
    pub fn note(&self, token: StoredToken) {
        self.write().insert(token.name.clone(), token);
    }

    /// Forgets a token that is not on disk any more.
    pub fn forget(&self, name: &Name) {
        self.write().remove(name.as_str());
        self.changed.send_replace(());
    }

    /// Done when the token of this name does not hold any more.
    pub async fn ended(&self, name: &str, clock: &Clock) {
        let mut changed = self.changed.subscribe();
        loop {
            let now = clock.now();
            let Some(token) = self.holding(name, now) else { return };
            let rest = token.expires_at.since(now).clamp(SHORTEST_WAIT, LONGEST_WAIT);
            tokio::select! {
                _ = changed.changed() => {}
                () = tokio::time::sleep(rest) => {}
            }
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<Name, StoredToken>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<Name, StoredToken>> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A new token of this name, and the hash of its secret.
pub fn generate(name: &Name) -> Result<(SecretString, SecretHash), Error> {
    let mut bytes = Zeroizing::new([0_u8; SECRET_BYTES]);
    rand::fill(&mut bytes[..]).map_err(|_| Error::new(ErrorCode::Internal, "the system has no random numbers"))?;
    let secret = Zeroizing::new(URL_SAFE_NO_PAD.encode(&bytes[..]));
    let token = SecretString::new(format!("{PREFIX}{name}_{}", *secret));
    Ok((token, hash_of(&secret)))
}

/// The secret has 256 random bits, so a plain hash cannot be searched through.
fn hash_of(secret: &str) -> SecretHash {
    let mut hash = SecretHash::default();
    hash.copy_from_slice(digest::digest(&digest::SHA256, secret.as_bytes()).as_ref());
    hash
}

/// Whether two hashes are the same, in a time that does not tell where they differ.
fn is_same(left: &SecretHash, right: &SecretHash) -> bool {
    constant_time::verify_slices_are_equal(left, right).is_ok()
}

#[cfg(test)]
mod tests {
    use muster_protocol::Principal;
    use muster_protocol::model::token::AccessRole;

    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn book_with(name: &str) -> (TokenBook, SecretString) {
        let name: Name = name.parse().unwrap();
        let (token, sha256) = generate(&name).unwrap();
        let stored = StoredToken {
            name,
            role: AccessRole::Operator,
            clusters: Vec::new(),
            sha256,
            created_at: at(1),
            created_by: Principal::user("root"),
            expires_at: at(1_000),
        };
        let book = TokenBook::default();
        book.note(stored);
        (book, token)
    }

    #[test]
    fn a_token_holds_until_it_ends_or_is_revoked_and_no_other_does() {
        let (book, token) = book_with("ci");
        let resolved = |text: &str, millis| book.resolve(text, at(millis)).map(|token| token.name.to_string());
        assert_eq!(resolved(token.expose(), 999).as_deref(), Some("ci"));
        assert_eq!(resolved(token.expose(), 1_000), None, "it has ended");
        assert_eq!(book.holding("ci", at(1_000)), None);
        for wrong in ["", "mst_", "mst_ci", "mst_ci_", "mst_ci_AAAA", "mst_cd_AAAA", &token.expose()[1..]] {
            assert_eq!(resolved(wrong, 1), None, "{wrong}");
        }
        let (_, other) = book_with("ci");
        assert_eq!(resolved(other.expose(), 1), None, "another token of the same name");
        book.forget(&"ci".parse().unwrap());
        assert_eq!(resolved(token.expose(), 1), None, "it was revoked");
    }

    #[test]
    fn a_secret_may_have_any_character_of_its_alphabet() {
        for _ in 0..200 {
            let (book, token) = book_with("a-b-1");
            assert!(book.resolve(token.expose(), at(1)).is_some(), "{}", token.expose());
        }
    }
}
