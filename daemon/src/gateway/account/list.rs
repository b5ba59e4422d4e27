//! listAccounts: all accounts, by name.

use muster_protocol::{Error, Response};

use super::with_users;
use crate::app::App;
use crate::gateway::refusals::store_error;
use crate::journal::records::StoredAccount;

/// All accounts.
pub async fn list(app: &App) -> Result<Response, Error> {
    let stored = app.store.scan::<StoredAccount>(&[]).await.map_err(store_error)?;
    let accounts = stored.into_iter().map(|StoredAccount(info)| with_users(app, info));
    Ok(Response::Accounts(accounts.collect()))
}
