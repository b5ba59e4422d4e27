//! whoami: who the caller is, and who the daemon is.

use muster_protocol::response::Whoami;
use muster_protocol::{Error, Response};

use super::context::Context;
use super::roles::Caller;

/// The caller, as the daemon sees it.
pub fn whoami(context: &Context, caller: &Caller) -> Result<Response, Error> {
    Ok(Response::Whoami(Whoami {
        uid: caller.uid,
        role: caller.role.map_or_else(|| "none".to_owned(), |role| role.to_string()),
        daemon_version: env!("CARGO_PKG_VERSION").to_owned(),
        instance: context.provisioner.instance,
    }))
}
