//! Every verb that shows something, as the program, in every form of output.
//!
//! Covers: getOrchestratorInfo, listOrchestrators, getContainerServiceInfo, getOrchestratorsServiceInfo,
//! getHostInfoById, listHosts, getContainerInfo, listContainers, listCatalogTemplates, getCatalogTemplateData,
//! getOperation, listOperations, watchOperation, listEvents, addAccount, checkAccount, listAccounts, whoami.

use anyhow::{Context, Result, ensure};
use muster_protocol::model::container::ContainerInfo;
use muster_protocol::model::host::HostInfo;
use muster_protocol::model::operation::OperationInfo;
use muster_tests::cli::end;
use muster_tests::daemon::Daemon;
use serde_json::Value;

/// A daemon with one of everything that can be shown.
async fn furnished() -> Result<Daemon> {
    let daemon = Daemon::start("").await?;
    let kinds = ["--orchestrator", "sim", "--infrastructure", "sim", "--workers", "1", "--wait"];
    let _: OperationInfo = daemon.cli().json(&[&["cluster", "create", "demo"][..], &kinds].concat()).await?;
    let service = ["service", "create", "--cluster", "demo", "--template", "hello", "--wait"];
    let _: Value = daemon.cli().json(&service).await?;
    let account = ["account", "add", "spare", "--infrastructure", "sim"];
    let _: Value = daemon.cli().json(&account).await?;
    Ok(daemon)
}

#[tokio::test]
async fn whatever_is_shown_comes_as_table_json_and_yaml() -> Result<()> {
    let daemon = furnished().await?;
    let cli = daemon.cli();
    let hosts: Vec<HostInfo> = cli.json(&["host", "list"]).await?;
    let containers: Vec<ContainerInfo> = cli.json(&["container", "list"]).await?;
    let operations: Vec<OperationInfo> = cli.json(&["operation", "list"]).await?;
    let host = hosts.first().context("no host")?.id.to_string();
    let container = &containers.first().context("no container")?.id;
    let operation = operations.first().context("no operation")?.id.to_string();
    let verbs: [&[&str]; 21] = [
        &["cluster", "list"],
        &["cluster", "info", "demo"],
        &["cluster", "plan", "demo"],
        &["service", "list"],
        &["service", "info", "hello", "--cluster", "demo"],
        &["service", "logs", "hello", "--cluster", "demo"],
        &["host", "list"],
        &["host", "info", &host],
        &["container", "list"],
        &["container", "info", container],
        &["catalog", "list"],
        &["catalog", "show", "hello"],
        &["operation", "list"],
        &["operation", "info", &operation],
        &["operation", "watch", &operation],
        &["events"],
        &["account", "list"],
        &["account", "check", "spare"],
        &["whoami"],
        &["version"],
        &["exit-codes"],
    ];
    for verb in verbs {
        for form in ["table", "json", "yaml"] {
            let line = format!("muster {} -o {form}", verb.join(" "));
            let shown = end(cli.command_for(form, verb), line).await?;
            ensure!(shown.code == Some(0), "{}: {:?}, {}", shown.line, shown.code, shown.stderr);
            ensure!(!shown.stdout.trim().is_empty(), "{} shows nothing", shown.line);
            let values = values(form, &shown.stdout).with_context(|| format!("{} is no {form}", shown.line))?;
            // Nearly every text is YAML: what is meant is a list or a map.
            let has_keys = |value: &Value| value.is_array() || value.is_object();
            ensure!(values.iter().all(has_keys), "{}: {}", shown.line, shown.stdout);
        }
    }
    Ok(())
}

/// The values that a program can read there; a table is for people.
fn values(form: &str, text: &str) -> Result<Vec<Value>> {
    match form {
        "json" => Ok(serde_json::Deserializer::from_str(text).into_iter().collect::<Result<_, _>>()?),
        "yaml" => Ok(serde_saphyr::from_multiple(text)?),
        _ => Ok(Vec::new()),
    }
}
