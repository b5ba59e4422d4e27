//! Every path of the API with every role, as the one table says.

#[path = "../../../protocol/tests/samples/mod.rs"]
mod samples;

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use muster_protocol::Request;
use muster_protocol::model::token::AccessRole;
use muster_protocol::subject::Reach;
use serde_json::{Value, json};

use crate::support::World;

/// What the bodies of changes say. One that is not here has none.
fn body(operation: &str) -> Option<Value> {
    Some(match operation {
        "createOrchestrator" => json!({"name": "demo", "orchestrator": "sim", "infrastructure": "sim"}),
        "scaleOrchestrator" => json!({"workers": 1}),
        "upgradeOrchestrator" | "accessOrchestrator" => json!({}),
        "createOrchestratorService" => json!({"spec": {"name": "web", "image": "b"}}),
        "updateOrchestratorService" => json!({"name": "web", "image": "b"}),
        "scaleOrchestratorService" => json!({"replicas": 1}),
        "addAccount" => json!({"infrastructure": "sim"}),
        "createToken" => json!({"role": "viewer", "lifetimeSeconds": 60}),
        _ => return None,
    })
}

/// WebSockets; `duplex.rs` tells of them.
const WEBSOCKETS: [&str; 2] = ["execInContainer", "forwardServicePort"];

/// The requests that paths without one of their own name amount to.
fn amounts_to(operation: &str) -> &str {
    match operation {
        "version" => "whoami",
        "getOrchestratorSpec" => "getOrchestratorInfo",
        "getOrchestratorServiceSpec" => "getContainerServiceInfo",
        "listServices" => "getOrchestratorsServiceInfo",
        other => other,
    }
}

fn filled(path: &str) -> String {
    let id = "01940000-0000-7000-8000-000000000000";
    let named = path.replace("{name}", "demo").replace("{service}", "web").replace("{template}", "hello");
    named.replace("{id}", id).replace("{account}", "main").replace("{token}", "nobody").replace("{port}", "80")
}

#[tokio::test]
async fn every_path_lets_each_role_in_or_refuses_it_as_the_table_says() -> Result<()> {
    let limits = "[limits]\nrequests_per_minute_per_token = 1000000\nrequests_per_minute_per_address = 1000000\n";
    let world = World::start_with("", limits).await?;
    let table: BTreeMap<&str, Request> =
        samples::client::requests().into_iter().map(|(_, request)| (request.operation_id(), request)).collect();
    let mut callers = Vec::new();
    for role in AccessRole::ALL {
        for (kind, clusters) in [("all", vec![]), ("other", vec!["other"])] {
            let token = world.daemon.token(&format!("{role}-{kind}"), role.as_str(), &clusters).await?;
            callers.push((role, kind == "other", world.bridge.http().with_token(&token)?));
        }
    }
    let document: Value = world.bridge.http().get("/v1/openapi.json").await?.expect(200)?.json()?;
    let mut walked = 0;
    for (path, item) in document["paths"].as_object().context("no paths")? {
        for (method, described) in item.as_object().context("no methods")? {
            let Some(operation) = described["operationId"].as_str() else { continue };
            if WEBSOCKETS.contains(&operation) {
                continue;
            }
            let request = table.get(amounts_to(operation)).with_context(|| format!("{operation} is in no table"))?;
            let is_of_demo = path.contains("{name}") || operation == "createOrchestrator";
            for (role, is_limited, http) in &callers {
                let is_within = match request.reach() {
                    Reach::Shared => true,
                    Reach::Clusters => !(is_of_demo && *is_limited),
                    Reach::Host => !is_limited,
                };
                let allowed = is_within && role.allows(request.required_role());
                let answer = http.send(&method.to_uppercase(), &filled(path), body(operation)).await?;
                let told = (answer.status == 403, allowed);
                ensure!(
                    told == (!allowed, allowed),
                    "{operation} by a {role}, limited: {is_limited}: {}",
                    answer.text()
                );
                // A body or query that the bridge itself refuses would say nothing of roles.
                ensure!(answer.status != 400, "{operation} was not understood: {}", answer.text());
                walked += 1;
            }
        }
    }
    ensure!(walked >= 6 * 35, "only {walked} were walked");
    let verified: Value = world.daemon.cli().json(&["audit", "verify"]).await?;
    ensure!(verified["broken"].is_null() && verified["intact"].as_u64() > Some(100), "{verified}");
    let records: Vec<Value> = world.daemon.cli().json(&["audit", "list", "--principal", "token:viewer-all"]).await?;
    ensure!(records.iter().any(|record| record["address"] == "127.0.0.1"), "{records:?}");
    ensure!(records.iter().all(|record| record["refusal"] == "permission-denied"), "{records:?}");
    Ok(())
}
