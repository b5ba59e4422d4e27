//! listAccounts: all accounts, by name.

use muster_protocol::{Error, Response};

use super::with_users;
use crate::gateway::context::{Context, store_error};
use crate::journal::records::StoredAccount;

/// All accounts.
pub async fn list(context: &Context) -> Result<Response, Error> {
    let stored = context.store.scan::<StoredAccount>(&[]).await.map_err(store_error)?;
    let accounts = stored.into_iter().map(|StoredAccount(info)| with_users(context, info));
    Ok(Response::Accounts(accounts.collect()))
}
