//! Changes over HTTP: planned, waited for, asked for twice, on a condition, cancelled.
//!
//! Covers: createOrchestrator, planOrchestrator, updateOrchestratorService, cancelOperation.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::support::{World, names};

fn sim(name: &str) -> Value {
    json!({"name": name, "orchestrator": "sim", "infrastructure": "sim"})
}

#[tokio::test]
async fn a_dry_run_answers_with_the_plan_and_changes_nothing() -> Result<()> {
    let world = World::start().await?;
    let plan: Value = world.operator.post("/v1/orchestrators?dryRun=true", sim("demo")).await?.expect(200)?.json()?;
    let steps: Vec<&str> =
        plan["steps"].as_array().context("no steps")?.iter().filter_map(|step| step["name"].as_str()).collect();
    assert!(steps.iter().any(|step| step.contains("machine/control-plane-1")), "{steps:?}");
    world.viewer.get("/v1/orchestrators/demo").await?.problem(404, "not-found")?;

    world.cluster("demo", 1).await?;
    let scale = json!({"workers": 3});
    let plan: Value =
        world.operator.post("/v1/orchestrators/demo/scale?dryRun=true", scale.clone()).await?.expect(200)?.json()?;
    assert!(plan.to_string().contains("machine/worker-3"), "{plan}");
    let plan: Value =
        world.operator.send("DELETE", "/v1/orchestrators/demo?dryRun=true", None).await?.expect(200)?.json()?;
    assert!(plan.to_string().contains("machine/worker-1"), "{plan}");
    let info: Value = world.viewer.get("/v1/orchestrators/demo").await?.expect(200)?.json()?;
    assert_eq!((&info["spec"]["workers"], &info["summary"]["phase"]), (&json!(1), &json!("ready")));

    world.done("POST", "/v1/orchestrators/demo/scale", Some(scale)).await?;
    let hosts: Value = world.viewer.get("/v1/hosts?cluster=demo&role=worker").await?.expect(200)?.json()?;
    assert_eq!(names(&hosts), ["worker-1", "worker-2", "worker-3"]);
    let plan: Value = world.viewer.get("/v1/orchestrators/demo/plan").await?.expect(200)?.json()?;
    assert_eq!(plan["steps"], json!([]));
    Ok(())
}

#[tokio::test]
async fn a_change_asked_for_twice_with_one_key_is_made_once() -> Result<()> {
    let world = World::start().await?;
    let keyed = world.operator.with("idempotency-key", "key-1")?;
    let first: Value = keyed.post("/v1/orchestrators", sim("one")).await?.expect(202)?.json()?;
    let second: Value = keyed.post("/v1/orchestrators", sim("one")).await?.json()?;
    assert_eq!(first["id"], second["id"]);
    keyed.post("/v1/orchestrators", sim("two")).await?.problem(422, "idempotency-mismatch")?;
    let bad = world.operator.with("idempotency-key", "two words")?;
    let problem = bad.post("/v1/orchestrators", sim("three")).await?.problem(400, "invalid-argument")?;
    assert_eq!(problem["field"], "Idempotency-Key");
    Ok(())
}

#[tokio::test]
async fn a_wait_that_is_too_short_answers_with_the_operation_as_it_is() -> Result<()> {
    let world = World::start_with("", "").await?;
    let waits = world.operator.with("prefer", "wait=0")?;
    let answer = waits.post("/v1/orchestrators", sim("slow")).await?.expect(202)?;
    assert_eq!(answer.header("preference-applied"), "wait=0");
    let operation: Value = answer.json()?;
    assert_eq!(operation["phase"], "running");
    Ok(())
}

#[tokio::test]
async fn a_specification_is_changed_only_if_nobody_did_since_it_was_read() -> Result<()> {
    let world = World::start().await?;
    world.cluster("demo", 1).await?;
    world.service("demo", "web").await?;
    let path = "/v1/orchestrators/demo/services/web/spec";
    let read = world.viewer.get(path).await?.expect(200)?;
    assert_eq!(read.header("etag"), "\"1\"");
    world.viewer.with("if-none-match", "\"1\"")?.get(path).await?.expect(304)?;
    let mut spec: Value = read.json()?;
    spec["image"] = json!("web:2");
    let mine = world.operator.with("if-match", "\"1\"")?.with("prefer", "wait=60")?;
    mine.send("PUT", path, Some(spec.clone())).await?.expect(200)?;
    assert_eq!(world.viewer.get(path).await?.header("etag"), "\"2\"");

    spec["image"] = json!("web:3");
    let problem = mine.send("PUT", path, Some(spec.clone())).await?.problem(412, "conflict")?;
    assert_eq!(problem["details"]["generation"], "2");
    world
        .operator
        .with("if-match", "W/\"x\"")?
        .send("PUT", path, Some(spec.clone()))
        .await?
        .problem(412, "conflict")?;
    let now: Value = world.viewer.get(path).await?.expect(200)?.json()?;
    assert_eq!(now["image"], "web:2");

    let refused = mine.send("DELETE", "/v1/orchestrators/demo/services/web", None).await?;
    assert_eq!(refused.problem(400, "invalid-argument")?["field"], "If-Match");

    spec["name"] = json!("other");
    let problem = world.operator.send("PUT", path, Some(spec)).await?.problem(400, "invalid-argument")?;
    assert_eq!(problem["field"], "name");
    world.done("POST", "/v1/orchestrators/demo/services/web/scale", Some(json!({"replicas": 4}))).await?;
    let service: Value = world.viewer.get("/v1/orchestrators/demo/services/web").await?.json()?;
    assert_eq!((&service["wanted"], &service["ready"]), (&json!(4), &json!(4)));
    Ok(())
}

#[tokio::test]
async fn an_operation_is_cancelled_and_what_failed_is_tried_again() -> Result<()> {
    let world = World::start_with("", "").await?;
    world.cluster("demo", 1).await?;
    let scale = world.operator.post("/v1/orchestrators/demo/scale", json!({"workers": 40})).await?.expect(202)?;
    let id = scale.json::<Value>()?["id"].as_str().context("no id")?.to_owned();
    let cancelled = world.operator.send("POST", &format!("/v1/operations/{id}/cancel"), None).await?;
    // It may have ended in this moment; then the daemon says so.
    if cancelled.status == 200 {
        assert_eq!(cancelled.json::<Value>()?["phase"], "cancelled");
    } else {
        cancelled.problem(409, "conflict")?;
    }
    world.operator.send("POST", "/v1/orchestrators/demo/retry", None).await?.expect(202)?;
    world.viewer.get("/v1/operations/01940000-0000-7000-8000-000000000000").await?.problem(404, "not-found")?;
    Ok(())
}

#[tokio::test]
async fn a_refusal_names_the_field_and_what_to_do() -> Result<()> {
    let world = World::start().await?;
    let even = json!({"name": "x", "orchestrator": "sim", "infrastructure": "sim", "controlPlanes": 2});
    let problem = world.operator.post("/v1/orchestrators", even).await?.problem(400, "invalid-argument")?;
    assert_eq!(problem["type"], "urn:muster:error:invalid-argument");
    assert!(problem["field"].as_str().is_some_and(|field| !field.is_empty()), "{problem}");
    let unknown = json!({"name": "x", "orchestrator": "sim", "infrastructure": "sim", "colour": "red"});
    let problem = world.operator.post("/v1/orchestrators", unknown).await?.problem(400, "invalid-argument")?;
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("colour")), "{problem}");
    let typed = json!({"name": "x", "orchestrator": "sim", "infrastructure": "sim", "machine": {"memory": "much"}});
    let problem = world.operator.post("/v1/orchestrators", typed).await?.problem(400, "invalid-argument")?;
    assert_eq!(problem["field"], "machine.memory");
    world.operator.post("/v1/orchestrators", sim("x")).await?.expect(202)?;
    world.operator.post("/v1/orchestrators", sim("x")).await?.problem(409, "already-exists")?;
    let named = world.operator.with("x-request-id", "trace-7")?;
    let answer = named.get("/v1/orchestrators/none").await?;
    let problem = answer.problem(404, "not-found")?;
    assert_eq!((answer.header("x-request-id"), &problem["requestId"]), ("trace-7", &json!("trace-7")));
    assert!(world.bridge.log().contains("trace-7"));
    Ok(())
}

#[tokio::test]
async fn a_file_with_which_a_cluster_is_reached_allows_no_more_than_the_token_and_no_time_that_is_none() -> Result<()> {
    let world = World::start().await?;
    world.cluster("demo", 0).await?;
    let path = "/v1/orchestrators/demo/access";
    world.operator.post(path, json!({"role": "admin"})).await?.problem(403, "permission-denied")?;
    let problem = world.operator.post(path, json!({"validSeconds": 1})).await?.problem(400, "invalid-argument")?;
    assert_eq!(problem["field"], "validSeconds");
    // A simulated cluster has nothing that a tool could reach.
    let problem = world.operator.post(path, json!({"kind": "kubeconfig"})).await?.problem(422, "unsupported")?;
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("kubeconfig")), "{problem}");
    Ok(())
}

#[tokio::test]
async fn an_upgrade_and_new_certificates_are_planned_and_asked_for() -> Result<()> {
    let world = World::start().await?;
    world.cluster("demo", 1).await?;
    for path in ["/v1/orchestrators/demo/upgrade", "/v1/orchestrators/demo/renew"] {
        let body = path.ends_with("upgrade").then(|| json!({}));
        let plan: Value =
            world.operator.send("POST", &format!("{path}?dryRun=true"), body.clone()).await?.expect(200)?.json()?;
        assert!(plan["steps"].is_array(), "{plan}");
        world.done("POST", path, body).await?;
    }
    let asked: Value = world.viewer.get("/v1/operations?cluster=demo&fields=kind").await?.expect(200)?.json()?;
    let expected = json!([{"kind": "cluster-renew"}, {"kind": "cluster-upgrade"}, {"kind": "cluster-create"}]);
    assert_eq!(asked["items"], expected);
    Ok(())
}
