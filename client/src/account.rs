//! Calls about accounts.

use muster_protocol::model::account::{AccountCheck, AccountInfo, AccountSpec};
use muster_protocol::{Name, Request, Response};

use crate::{Client, ClientError};

impl Client {
    /// Adds or replaces an account.
    pub async fn account_add(&self, spec: AccountSpec) -> Result<AccountInfo, ClientError> {
        match self.request(Request::AccountAdd { spec }).await? {
            Response::Account(info) => Ok(info),
            other => Err(ClientError::unexpected("an account", &other)),
        }
    }

    /// Asks the infrastructure with an account.
    pub async fn account_check(&self, account: &Name) -> Result<AccountCheck, ClientError> {
        match self.request(Request::AccountCheck { account: account.clone() }).await? {
            Response::AccountCheck(check) => Ok(check),
            other => Err(ClientError::unexpected("an account check", &other)),
        }
    }

    /// All accounts; there are few, so in one answer.
    pub async fn account_list(&self) -> Result<Vec<AccountInfo>, ClientError> {
        match self.request(Request::AccountList).await? {
            Response::Accounts(accounts) => Ok(accounts),
            other => Err(ClientError::unexpected("accounts", &other)),
        }
    }

    /// Removes an account that no cluster uses.
    pub async fn account_remove(&self, account: &Name) -> Result<(), ClientError> {
        match self.request(Request::AccountRemove { account: account.clone() }).await? {
            Response::Done => Ok(()),
            other => Err(ClientError::unexpected("that it is done", &other)),
        }
    }
}
