//! createToken: makes a token. It is said this once.

use std::time::Duration;

use muster_protocol::model::token::{NewToken, TokenSpec};
use muster_protocol::{Error, ErrorCode, Response};
use muster_store::Batch;

use super::{book, write};
use crate::app::App;
use crate::gateway::refusals::store_error;
use crate::gateway::roles::{Caller, Role};
use crate::journal::records::StoredToken;

/// The most tokens that there may be.
const MOST: usize = 10_000;

/// Makes a token.
pub async fn create(app: &App, caller: &Caller, spec: TokenSpec) -> Result<Response, Error> {
    let TokenSpec { name, role, mut clusters, lifetime_seconds } = spec;
    if Role::of_word(role).is_none() {
        return Err(Error::invalid("role", format!("there is no role `{role}`")));
    }
    let lifetimes = TokenSpec::MIN_LIFETIME_SECONDS..=TokenSpec::MAX_LIFETIME_SECONDS;
    if !lifetimes.contains(&lifetime_seconds) {
        return Err(Error::invalid("lifetimeSeconds", "a token holds from a minute to ten years"));
    }
    clusters.sort();
    clusters.dedup();
    if clusters.len() > TokenSpec::MAX_CLUSTERS {
        let message = format!("a token is limited to {} clusters at most", TokenSpec::MAX_CLUSTERS);
        return Err(Error::invalid("clusters", message).with_remedy("make several tokens"));
    }
    let _changing = app.tokens.changing.lock().await;
    if app.tokens.find(&name).is_some() {
        return Err(Error::new(ErrorCode::AlreadyExists, format!("token `{name}` exists already"))
            .with_remedy("choose another name, or revoke it with `muster token revoke` first"));
    }
    if app.tokens.all().len() >= MOST {
        return Err(Error::new(ErrorCode::Conflict, format!("there are {MOST} tokens"))
            .with_remedy("revoke those that have ended"));
    }
    let (token, sha256) = book::generate(&name)?;
    let created_at = app.now();
    let expires_at = created_at + Duration::from_secs(lifetime_seconds);
    let created_by = caller.principal.clone();
    let stored = StoredToken { name, role, clusters, sha256, created_at, created_by, expires_at };
    let mut batch = Batch::new();
    batch.put(&stored).map_err(store_error)?;
    write(app, batch, caller, format!("token {} made with role {role}", stored.name)).await?;
    app.tokens.note(stored.clone());
    Ok(Response::NewToken(Box::new(NewToken { token, info: stored.info() })))
}
