//! resolveToken: what a token grants, for a trusted user to whom somebody has shown it.

use muster_protocol::{Error, Response, SecretString};

use crate::app::App;

/// The token; none if it is unknown, revoked or has ended.
pub fn resolve(app: &App, token: &SecretString) -> Result<Response, Error> {
    let resolved = app.tokens.resolve(token.expose(), app.now());
    Ok(Response::TokenGrant(resolved.map(|token| Box::new(token.info()))))
}
