//! The verbs that change something beside clusters and services, as programs.
//!
//! Covers: deleteOrchestrator, retryOrchestrator, cancelOperation, listOperations, addAccount, checkAccount,
//! listAccounts, removeAccount.

use std::time::Duration;

use anyhow::{Context, Result};
use muster_protocol::ErrorCode;
use muster_protocol::model::account::{AccountCheck, AccountInfo};
use muster_protocol::model::operation::{OperationInfo, OperationPhase};
use muster_tests::cli::{Cli, end};
use muster_tests::daemon::Daemon;
use serde_json::{Value, json};

const KINDS: [&str; 4] = ["--orchestrator", "sim", "--infrastructure", "sim"];

async fn create(cli: &Cli, cluster: &str, more: &[&str]) -> Result<OperationInfo> {
    cli.json(&[&["cluster", "create", cluster][..], &KINDS, more, &["--wait"]].concat()).await
}

#[tokio::test]
async fn an_account_is_added_checked_used_kept_while_it_is_used_and_removed() -> Result<()> {
    let daemon = Daemon::start("").await?;
    let cli = daemon.cli();
    let file = daemon.folder().join("account.yaml");
    std::fs::write(&file, "name: trial\ninfrastructure: sim\n")?;
    let file = file.to_str().context("the folder's path is not UTF-8")?;
    let added: AccountInfo = cli.json(&["account", "add", "-f", file]).await?;
    assert_eq!((added.name.as_str(), added.clusters), ("trial", 0));
    let (code, error) =
        cli.refused(&["account", "add", "trial", "--infrastructure", "sim", "--default", "zone=a"]).await?;
    assert_eq!((code, error.code), (2, ErrorCode::InvalidArgument), "{error}");
    let check: AccountCheck = cli.json(&["account", "check", "trial"]).await?;
    assert!(check.findings.iter().all(|finding| finding.ok), "{check:?}");

    create(cli, "demo", &["--account", "trial"]).await?;
    let accounts: Vec<AccountInfo> = cli.json(&["account", "list"]).await?;
    assert_eq!(accounts.iter().map(|account| account.clusters).collect::<Vec<_>>(), [1]);
    let (code, error) = cli.refused(&["account", "remove", "trial"]).await?;
    assert_eq!((code, error.code), (4, ErrorCode::Conflict), "{error}");
    assert!(error.remedy.is_some(), "{error}");

    let _: OperationInfo = cli.json(&["cluster", "delete", "demo", "--wait"]).await?;
    let removed: Value = cli.json(&["account", "remove", "trial"]).await?;
    assert_eq!(removed, json!({"removed": "trial"}));
    let (code, _) = cli.refused(&["account", "remove", "trial"]).await?;
    assert_eq!(code, 3, "it is gone");
    Ok(())
}

#[tokio::test]
async fn a_cancelled_operation_ends_the_command_that_waits_for_it_and_a_retry_finds_nothing_to_do() -> Result<()> {
    let daemon = Daemon::start("[sim]\nrollout_ms = 600000\n").await?;
    let cli = daemon.cli();
    create(cli, "demo", &[]).await?;
    let service = ["service", "create", "--cluster", "demo", "--template", "hello", "--wait"];
    let waiting = tokio::spawn(end(cli.command(&service), service.join(" ")));
    let is_running = |operations: &Vec<OperationInfo>| operations.len() == 2;
    let operations = cli.until(&["operation", "list"], Duration::from_secs(20), is_running).await?;
    let running = operations.iter().find(|operation| !operation.phase.is_ended()).context("none runs")?;
    let cancelled: OperationInfo = cli.json(&["operation", "cancel", &running.id.to_string()]).await?;
    assert_eq!((cancelled.id, cancelled.phase), (running.id, OperationPhase::Cancelled));
    let ended = waiting.await??;
    assert_eq!(ended.code, Some(8), "{}", ended.stderr);
    assert_eq!(ended.json::<OperationInfo>()?.phase, OperationPhase::Cancelled);

    let retried: OperationInfo = cli.json(&["cluster", "retry", "demo", "--wait"]).await?;
    assert_eq!(retried.phase, OperationPhase::Succeeded);
    Ok(())
}
