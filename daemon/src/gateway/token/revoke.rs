//! revokeToken: from here on the token grants nothing.

use muster_protocol::{Error, Name, Response};
use muster_store::Batch;

use super::write;
use crate::app::App;
use crate::gateway::refusals::store_error;
use crate::gateway::roles::Caller;
use crate::journal::records::StoredToken;

/// Takes a token off the list.
pub async fn revoke(app: &App, caller: &Caller, name: &Name) -> Result<Response, Error> {
    let _changing = app.tokens.changing.lock().await;
    if app.tokens.find(name).is_none() {
        return Err(Error::not_found("token", name));
    }
    let mut batch = Batch::new();
    batch.delete::<StoredToken>(name.as_str().as_bytes()).map_err(store_error)?;
    write(app, batch, caller, format!("token {name} revoked")).await?;
    app.tokens.forget(name);
    Ok(Response::Done)
}
