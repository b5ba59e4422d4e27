//! whoami: who the caller is, and who the daemon is.

use muster_protocol::response::Whoami;
use muster_protocol::{Error, Response};

use super::roles::Caller;
use crate::app::App;

/// The caller, as the daemon sees it.
pub fn whoami(app: &App, caller: &Caller) -> Result<Response, Error> {
    Ok(Response::Whoami(Whoami {
        principal: caller.principal.clone(),
        uid: caller.uid,
        role: caller.role.map_or_else(|| "none".to_owned(), |role| role.to_string()),
        daemon_version: env!("CARGO_PKG_VERSION").to_owned(),
        instance: app.provisioner.instance,
    }))
}
