//! removeAccount: forgets an account that no cluster uses.

use muster_protocol::{Error, ErrorCode, Name, Response};
use muster_store::{Batch, BatchError};

use super::{stored, users_of, write};
use crate::app::App;
use crate::gateway::refusals::store_error;
use crate::gateway::roles::Caller;
use crate::journal::records::StoredAccount;
use crate::journal::vault;

/// Removes an account with its credentials.
pub async fn remove(app: &App, caller: &Caller, account: &Name) -> Result<Response, Error> {
    let _accounts = app.accounts.write().await;
    let Some(present) = stored(app, account).await? else {
        return Err(Error::not_found("account", account));
    };
    let used_by = users_of(app, account);
    if let Some(cluster) = used_by.first() {
        let others = used_by.len() - 1;
        let and_others = if others == 0 { String::new() } else { format!(" and {others} more") };
        let message = format!("cluster `{cluster}`{and_others} uses account `{account}`");
        return Err(Error::new(ErrorCode::Conflict, message).with_remedy("delete those clusters first"));
    }
    let mut batch = Batch::new();
    let mut fill = || -> Result<(), BatchError> {
        batch.delete::<StoredAccount>(account.as_str().as_bytes())?.delete_sealed(&vault::credentials_key(account))?;
        Ok(())
    };
    fill().map_err(store_error)?;
    write(app, batch, caller, format!("account {account} removed")).await?;
    app.provisioner.forget_gate(present.infrastructure, account);
    Ok(Response::Done)
}
