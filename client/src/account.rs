//! Calls about accounts.

use muster_protocol::model::account::{AccountCheck, AccountInfo, AccountSpec};
use muster_protocol::{Name, Request, Response};

use crate::{Client, ClientError};

impl Client {
    /// Adds or replaces an account.
    pub async fn account_add(&self, spec: AccountSpec) -> Result<AccountInfo, ClientError> {
        let Response::Account(info) = self.request(Request::AccountAdd { spec }).await? else {
            return Err(ClientError::unexpected("an account"));
        };
        Ok(info)
    }

    /// Asks the infrastructure with an account.
    pub async fn account_check(&self, account: &Name) -> Result<AccountCheck, ClientError> {
        let Response::AccountCheck(check) = self.request(Request::AccountCheck { account: account.clone() }).await?
        else {
            return Err(ClientError::unexpected("an account check"));
        };
        Ok(check)
    }

    /// All accounts; there are few, so in one answer.
    pub async fn account_list(&self) -> Result<Vec<AccountInfo>, ClientError> {
        let Response::Accounts(accounts) = self.request(Request::AccountList).await? else {
            return Err(ClientError::unexpected("accounts"));
        };
        Ok(accounts)
    }

    /// Removes an account that no cluster uses.
    pub async fn account_remove(&self, account: &Name) -> Result<(), ClientError> {
        let Response::Done = self.request(Request::AccountRemove { account: account.clone() }).await? else {
            return Err(ClientError::unexpected("that it is done"));
        };
        Ok(())
    }
}
