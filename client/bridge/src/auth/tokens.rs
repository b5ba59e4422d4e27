//! What a token grants, as the daemon says. Its answers are remembered for moments only, so that a page that asks much does
//! not ask twice as much of the daemon; what the daemon is asked for with a revoked token it refuses itself.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use muster_protocol::model::token::TokenInfo;
use muster_protocol::{Request, Response, SecretString};

use super::random::{Hash, hash_of};
use crate::api::caller::unexpected;
use crate::daemon::Daemon;
use crate::problem::Problem;

/// How long an answer is remembered.
const REMEMBERED: Duration = Duration::from_secs(2);
/// More answers than that are not remembered: all are forgotten.
const MOST: usize = 10_000;

/// Answers of the daemon, by the hashes of tokens.
#[derive(Default)]
pub struct Tokens(Mutex<HashMap<Hash, (Instant, TokenInfo)>>);

impl Tokens {
    /// What a token grants; none if it is unknown, revoked or has ended. Refusals are not remembered.
    ///
    /// # Errors
    /// If the daemon cannot be asked.
    pub async fn resolve(&self, daemon: &Daemon, token: &SecretString) -> Result<Option<TokenInfo>, Problem> {
        let (hash, now) = (hash_of(token.expose()), Instant::now());
        if let Some(info) = self.remembered(&hash, now) {
            return Ok(Some(info));
        }
        let request = Request::TokenResolve { token: token.clone() };
        let Response::TokenGrant(grant) = daemon.ask(None, request).await? else {
            return Err(unexpected("what a token grants"));
        };
        if let Some(info) = &grant {
            self.remember(hash, info, now);
        }
        Ok(grant.map(|info| *info))
    }

    fn remembered(&self, hash: &Hash, now: Instant) -> Option<TokenInfo> {
        let answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, info) = answers.get(hash)?;
        (now.duration_since(*at) < REMEMBERED).then(|| info.clone())
    }

    fn remember(&self, hash: Hash, info: &TokenInfo, now: Instant) {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= MOST {
            answers.clear();
        }
        answers.insert(hash, (now, info.clone()));
    }
}

#[cfg(test)]
mod tests {
    use muster_protocol::model::token::AccessRole;
    use muster_protocol::{Principal, Timestamp};

    use super::*;

    #[test]
    fn an_answer_is_remembered_for_moments_only() {
        let info = TokenInfo {
            name: "ci".parse().unwrap(),
            role: AccessRole::Viewer,
            clusters: Vec::new(),
            created_at: Timestamp::from_millis(1),
            created_by: Principal::user("root"),
            expires_at: Timestamp::from_millis(2),
        };
        let (tokens, now) = (Tokens::default(), Instant::now());
        tokens.remember(hash_of("a"), &info, now);
        assert_eq!(tokens.remembered(&hash_of("a"), now), Some(info));
        assert_eq!(tokens.remembered(&hash_of("b"), now), None);
        assert_eq!(tokens.remembered(&hash_of("a"), now + REMEMBERED), None);
    }
}
