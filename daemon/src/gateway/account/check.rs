//! checkAccount: asks the infrastructure with an account, or with the default one of an infrastructure.

use muster_protocol::model::account::AccountCheck;
use muster_protocol::model::cluster::Infrastructure;
use muster_protocol::{Error, Name, Response};

use super::stored;
use crate::app::App;

/// Checks an account; the name of an infrastructure stands for its default one.
pub async fn check(app: &App, account: &Name) -> Result<Response, Error> {
    let stored = stored(app, account).await?;
    let (account, infrastructure) = match (stored, account.as_str().parse::<Infrastructure>()) {
        (Some(info), _) => (Some(info.name), info.infrastructure),
        (None, Ok(infrastructure)) => (None, infrastructure),
        (None, Err(_)) => return Err(Error::not_found("account", account)),
    };
    let findings = app.provisioner.check(infrastructure, account.as_ref()).await?;
    Ok(Response::AccountCheck(AccountCheck { account, infrastructure, findings }))
}
