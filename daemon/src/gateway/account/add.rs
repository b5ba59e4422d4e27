//! addAccount: adds an account, or replaces one of the same name. Its credentials are sealed.

use muster_engine::validate;
use muster_protocol::model::account::{AccountInfo, AccountSpec};
use muster_protocol::model::cluster::Infrastructure;
use muster_protocol::{Error, ErrorCode, Response};
use muster_store::{Batch, BatchError};

use super::{ids_of_users, stored, users_of, write};
use crate::app::App;
use crate::fleet::FleetMessage;
use crate::gateway::refusals::store_error;
use crate::gateway::roles::Caller;
use crate::journal::records::StoredAccount;
use crate::kinds::Account;

/// Adds or replaces an account. Clusters that use it go on with the new one at once.
pub async fn add(app: &App, caller: &Caller, spec: AccountSpec) -> Result<Response, Error> {
    validate::account(&spec)?;
    check_form(&spec)?;
    let _accounts = app.accounts.write().await;
    let present = stored(app, &spec.name).await?;
    let used_by = users_of(app, &spec.name);
    if let Some(present) = &present
        && present.infrastructure != spec.infrastructure
        && let Some(cluster) = used_by.first()
    {
        let message =
            format!("account `{}` is for `{}` and cluster `{cluster}` uses it", spec.name, present.infrastructure);
        return Err(Error::new(ErrorCode::Conflict, message).with_remedy("add it under another name"));
    }
    let AccountSpec { name, infrastructure, endpoint, credentials, defaults } = spec;
    let info = AccountInfo {
        name,
        infrastructure,
        endpoint,
        credentials: credentials.keys().cloned().collect(),
        defaults,
        clusters: u32::try_from(used_by.len()).unwrap_or(u32::MAX),
        created_at: present.as_ref().map_or_else(|| app.now(), |present| present.created_at),
    };
    let account = Account { info, credentials };
    app.provisioner.accept(&account)?;

    let Account { info, credentials } = account;
    let mut batch = Batch::new();
    let mut fill = || -> Result<(), BatchError> {
        batch.put(&StoredAccount(info.clone()))?;
        app.provisioner.shared.vault.put_credentials(&mut batch, &info.name, &credentials)
    };
    fill().map_err(store_error)?;
    let what = if present.is_some() { "replaced" } else { "added" };
    write(app, batch, caller, format!("account {} {what}", info.name)).await?;
    for cluster in ids_of_users(app, &info.name) {
        // A fleet that is gone means that the daemon stops; the next one reads what is stored.
        let _ = app.fleet.cast(FleetMessage::Renew(cluster));
    }
    Ok(Response::Account(info))
}

/// What can be said about an account by its kind alone.
fn check_form(spec: &AccountSpec) -> Result<(), Error> {
    match spec.infrastructure {
        Infrastructure::Local => {
            no_credentials(spec)?;
            let endpoint = spec.endpoint.as_deref();
            if let Some(endpoint) = endpoint.filter(|endpoint| !endpoint.starts_with('/')) {
                return Err(Error::invalid("endpoint", format!("`{endpoint}` is not the absolute path of a socket"))
                    .with_remedy("give the Docker Engine's socket, for example `/var/run/docker.sock`"));
            }
            only_defaults(spec, &["image"])
        }
        Infrastructure::Sim => {
            no_credentials(spec)?;
            if spec.endpoint.is_some() {
                return Err(Error::invalid("endpoint", "a simulated infrastructure answers nowhere")
                    .with_remedy("leave it out"));
            }
            only_defaults(spec, &[])
        }
        // Their drivers know what they need.
        Infrastructure::Hosts
        | Infrastructure::Ec2
        | Infrastructure::ClouditVm
        | Infrastructure::ClouditBaremetal
        | Infrastructure::Unknown(_) => Ok(()),
    }
}

fn no_credentials(spec: &AccountSpec) -> Result<(), Error> {
    let Some(name) = spec.credentials.keys().next() else { return Ok(()) };
    let kind = spec.infrastructure;
    let message = format!("`{kind}` takes no credentials, so `{name}` means nothing");
    Err(Error::invalid(&format!("credentials.{name}"), message).with_remedy("leave credentials out"))
}

fn only_defaults(spec: &AccountSpec, known: &[&str]) -> Result<(), Error> {
    let Some(unknown) = spec.defaults.keys().find(|name| !known.contains(&name.as_str())) else { return Ok(()) };
    let remedy = if known.is_empty() { "it has none".to_owned() } else { format!("it has: {}", known.join(", ")) };
    Err(Error::invalid("defaults", format!("`{}` has no default `{unknown}`", spec.infrastructure)).with_remedy(remedy))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use muster_protocol::SecretString;

    use super::*;

    fn spec(infrastructure: Infrastructure) -> AccountSpec {
        AccountSpec {
            name: "main".parse().unwrap(),
            infrastructure,
            endpoint: None,
            credentials: BTreeMap::new(),
            defaults: BTreeMap::new(),
        }
    }

    #[test]
    fn what_an_infrastructure_does_not_know_is_refused_by_field() {
        let socket = AccountSpec { endpoint: Some("tcp://x".into()), ..spec(Infrastructure::Local) };
        assert_eq!(check_form(&socket).unwrap_err().details["field"], "endpoint");
        let mut secret = spec(Infrastructure::Local);
        secret.credentials.insert("token".into(), SecretString::new("x"));
        assert_eq!(check_form(&secret).unwrap_err().details["field"], "credentials.token");
        let mut default = spec(Infrastructure::Sim);
        default.defaults.insert("image".into(), "x".into());
        assert_eq!(check_form(&default).unwrap_err().details["field"], "defaults");
        let good = AccountSpec { endpoint: Some("/run/docker.sock".into()), ..spec(Infrastructure::Local) };
        assert!(check_form(&good).is_ok());
    }
}
