//! Sessions of the page: a token is exchanged for a cookie that no script can read.
//!
//! Sessions are in memory: a restart of the bridge ends them. A session holds no longer than its token.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use muster_protocol::{SecretString, Timestamp};

use super::random::{self, Hash};

/// More sessions than that are not kept: the oldest goes.
const MOST: usize = 10_000;

/// One session.
#[derive(Clone, Debug)]
pub struct PageSession {
    /// The token that it was begun with: the daemon is asked again and again whether it still holds.
    pub token: SecretString,
    /// What a request that changes something must repeat in a header.
    pub csrf: String,
    /// When it ends.
    pub expires: Timestamp,
}

/// All sessions.
pub struct Sessions {
    lasts: Duration,
    /// By the hash of the cookie's value, which itself is nowhere.
    open: Mutex<HashMap<Hash, PageSession>>,
}

impl Sessions {
    /// None yet; each lasts so long.
    pub fn new(lasts: Duration) -> Self {
        Self { lasts, open: Mutex::default() }
    }

    /// Every section under the lock leaves the map whole, so a poisoned lock is as good.
    fn open(&self) -> MutexGuard<'_, HashMap<Hash, PageSession>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins one. Returns the cookie's value with it.
    pub fn begin(&self, token: SecretString, token_expires: Timestamp, now: Timestamp) -> (String, PageSession) {
        let cookie = random::random_text::<32>();
        let expires = (now + self.lasts).min(token_expires);
        let session = PageSession { token, csrf: random::random_text::<24>(), expires };
        let mut open = self.open();
        open.retain(|_, session| now < session.expires);
        if open.len() >= MOST
            && let Some(oldest) = open.iter().min_by_key(|(_, session)| session.expires).map(|(hash, _)| *hash)
        {
            open.remove(&oldest);
        }
        open.insert(random::hash_of(&cookie), session.clone());
        (cookie, session)
    }

    /// The session of this cookie, if it has not ended.
    pub fn find(&self, cookie: &str, now: Timestamp) -> Option<PageSession> {
        self.open().get(&random::hash_of(cookie)).filter(|session| now < session.expires).cloned()
    }

    /// Ends it.
    pub fn end(&self, cookie: &str) {
        self.open().remove(&random::hash_of(cookie));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_by_itself_with_its_token_or_when_it_is_ended() {
        let sessions = Sessions::new(Duration::from_millis(100));
        let at = Timestamp::from_millis;
        let (cookie, _) = sessions.begin(SecretString::new("t"), at(1_000), at(0));
        assert!(sessions.find(&cookie, at(99)).is_some());
        assert!(sessions.find(&cookie, at(100)).is_none());
        let (cookie, _) = sessions.begin(SecretString::new("t"), at(50), at(0));
        assert!(sessions.find(&cookie, at(50)).is_none(), "its token has ended");
        let (cookie, session) = sessions.begin(SecretString::new("t"), at(1_000), at(0));
        assert_eq!(sessions.find(&cookie, at(1)).unwrap().csrf, session.csrf);
        sessions.end(&cookie);
        assert!(sessions.find(&cookie, at(1)).is_none());
    }
}
