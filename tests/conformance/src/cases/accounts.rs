//! Accounts at infrastructures.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use muster_client::protocol::model::account::AccountSpec;
use muster_client::protocol::{ErrorCode, SecretString};

use crate::case::Cases;
use crate::world::{World, refused};

pub(super) fn cases() -> Cases {
    Cases::about("accounts")
        .case("an account that was added is listed", added_is_listed)
        .case("an account that is added again takes the place of the first", added_again)
        .case("the check of an account says what it has looked at", check_says_what)
        .case("an account that was removed is gone", removed_is_gone)
        .case("an account that is not there cannot be removed", unknown_account)
        .case("a credential that the infrastructure does not take is refused", needless_credential)
        .case("a cluster of an account that is not there is refused", cluster_of_unknown_account)
}

fn account(world: &World) -> Result<AccountSpec> {
    let name = world.name("account")?;
    if let Some(account) = &world.account_beside {
        return Ok(AccountSpec { name, ..account.clone() });
    }
    Ok(AccountSpec {
        name,
        infrastructure: world.infrastructure,
        endpoint: None,
        credentials: BTreeMap::new(),
        defaults: BTreeMap::new(),
    })
}

async fn added_is_listed(world: World) -> Result<()> {
    let spec = account(&world)?;
    let name = spec.name.clone();
    let added = world.client.account_add(spec).await?;
    let listed = world.client.account_list().await?.into_iter().find(|account| account.name == name);
    ensure!(listed == Some(added), "{listed:?}");
    Ok(())
}

async fn added_again(world: World) -> Result<()> {
    let first = world.client.account_add(account(&world)?).await?;
    let second = world.client.account_add(account(&world)?).await?;
    ensure!(first.created_at == second.created_at, "it is another account");
    let accounts = world.client.account_list().await?;
    ensure!(accounts.iter().filter(|account| account.name == first.name).count() == 1, "it is listed twice");
    Ok(())
}

async fn check_says_what(world: World) -> Result<()> {
    let added = world.client.account_add(account(&world)?).await?;
    let check = world.client.account_check(&added.name).await?;
    ensure!(check.account.as_ref() == Some(&added.name), "{check:?}");
    let finding = check.findings.first().context("it has looked at nothing")?;
    ensure!(!finding.subject.is_empty() && !finding.message.is_empty(), "{finding:?}");
    ensure!(check.findings.iter().all(|finding| finding.ok), "{:?}", check.findings);
    Ok(())
}

async fn removed_is_gone(world: World) -> Result<()> {
    let added = world.client.account_add(account(&world)?).await?;
    world.client.account_remove(&added.name).await?;
    let accounts = world.client.account_list().await?;
    ensure!(accounts.iter().all(|account| account.name != added.name), "it is still listed");
    Ok(())
}

async fn unknown_account(world: World) -> Result<()> {
    refused(world.client.account_remove(&world.name("nobody")?).await, ErrorCode::NotFound, "account")?;
    Ok(())
}

async fn needless_credential(world: World) -> Result<()> {
    let mut spec = account(&world)?;
    spec.credentials.insert("token".to_owned(), SecretString::new("secret"));
    refused(world.client.account_add(spec).await, ErrorCode::InvalidArgument, "credentials.token")?;
    Ok(())
}

async fn cluster_of_unknown_account(world: World) -> Result<()> {
    let mut spec = world.cluster_like_this("other")?;
    spec.account = Some(world.name("nobody")?);
    refused(world.client.cluster_create(spec, None).await, ErrorCode::NotFound, "account")?;
    Ok(())
}
