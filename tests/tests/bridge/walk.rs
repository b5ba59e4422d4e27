//! The ten operations of the paper over HTTP, one after the other, and the lists beside them.
//!
//! Covers: createOrchestrator, deleteOrchestrator, getOrchestratorInfo, createOrchestratorService,
//! deleteOrchestratorService, getContainerServiceInfo, getOrchestratorsServiceInfo, getHostInfoById,
//! getContainerInfo, getCatalogTemplateData.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::support::{World, names};

#[tokio::test]
async fn the_ten_operations_of_the_paper_walk_from_a_cluster_to_nothing() -> Result<()> {
    let world = World::start().await?;
    let (operator, viewer) = (&world.operator, &world.viewer);

    // createOrchestrator: the answer comes at once, and its operation leads to the cluster.
    let spec =
        json!({"name": "demo", "orchestrator": "sim", "infrastructure": "sim", "controlPlanes": 3, "workers": 2});
    let created = operator.post("/v1/orchestrators", spec).await?.expect(202)?;
    let location = created.header("location").to_owned();
    let operation: Value = created.json()?;
    assert_eq!(location, format!("/v1/operations/{}", operation["id"].as_str().context("no id")?));
    let mut changes = operator.events(&location).await?;
    let mut last = Value::Null;
    while let Some(event) = changes.next().await? {
        if event.kind == "operation" {
            last = event.json()?;
        }
    }
    assert_eq!(last["phase"], "succeeded", "{last}");
    assert_eq!(last["requestedBy"], json!({"kind": "token", "name": "olga"}), "the daemon sees the token's owner");

    // getOrchestratorInfo
    let info: Value = viewer.get("/v1/orchestrators/demo").await?.expect(200)?.json()?;
    assert_eq!(info["summary"]["phase"], "ready");
    assert_eq!(info["summary"]["controlPlanes"], json!({"ready": 3, "wanted": 3}));
    assert_eq!(info["spec"]["workers"], 2);

    // getHostInfoById
    let hosts: Value = viewer.get("/v1/hosts?cluster=demo&role=worker").await?.expect(200)?.json()?;
    assert_eq!(names(&hosts), ["worker-1", "worker-2"]);
    let id = hosts["items"][0]["id"].as_str().context("no id")?;
    let host: Value = viewer.get(&format!("/v1/hosts/{id}")).await?.expect(200)?.json()?;
    assert_eq!((host["name"].as_str(), host["phase"].as_str()), (Some("worker-1"), Some("ready")));

    // getCatalogTemplateData
    let template: Value = viewer.get("/v1/catalog/templates/hello").await?.expect(200)?.json()?;
    assert_eq!(template["name"], "hello");

    // createOrchestratorService: spelt out, and by a template.
    world.service("demo", "web").await?;
    let by_template = json!({"template": {"template": "hello", "name": "greeter"}});
    world.done("POST", "/v1/orchestrators/demo/services", Some(by_template)).await?;

    // getOrchestratorsServiceInfo, getContainerServiceInfo
    let services: Value = viewer.get("/v1/orchestrators/demo/services").await?.expect(200)?.json()?;
    assert_eq!(names(&services), ["greeter", "web"]);
    let service: Value = viewer.get("/v1/orchestrators/demo/services/web").await?.expect(200)?.json()?;
    assert_eq!((service["phase"].as_str(), service["ready"].as_u64()), (Some("running"), Some(2)));

    // getContainerInfo
    let containers: Value = viewer.get("/v1/containers?cluster=demo&service=web").await?.expect(200)?.json()?;
    let containers = containers["items"].as_array().context("no list")?.clone();
    assert_eq!(containers.len(), 2);
    let id = containers[0]["id"].as_str().context("no id")?;
    let container: Value = viewer.get(&format!("/v1/containers/{id}")).await?.expect(200)?.json()?;
    assert_eq!((&container["service"], &container["image"]), (&json!("web"), &json!("web:1")));

    // deleteOrchestratorService, deleteOrchestrator
    world.done("DELETE", "/v1/orchestrators/demo/services/web", None).await?;
    viewer.get("/v1/orchestrators/demo/services/web").await?.problem(404, "not-found")?;
    world.done("DELETE", "/v1/orchestrators/demo", None).await?;
    viewer.get("/v1/orchestrators/demo").await?.problem(404, "not-found")?;
    Ok(())
}

#[tokio::test]
async fn lists_come_in_pages_with_filters_and_only_the_fields_that_were_asked_for() -> Result<()> {
    let world = World::start().await?;
    for name in ["a", "b", "c"] {
        world.cluster(name, 0).await?;
    }
    let first: Value = world.viewer.get("/v1/orchestrators?limit=2&fields=name,phase").await?.expect(200)?.json()?;
    assert_eq!(first["items"], json!([{"name": "a", "phase": "ready"}, {"name": "b", "phase": "ready"}]));
    let next = first["next"].as_str().context("no cursor")?;
    let rest: Value =
        world.viewer.get(&format!("/v1/orchestrators?limit=2&after={next}")).await?.expect(200)?.json()?;
    assert_eq!((names(&rest), &rest["next"]), (vec!["c"], &Value::Null));
    let none: Value = world.viewer.get("/v1/orchestrators?phase=degraded").await?.expect(200)?.json()?;
    assert_eq!(none["items"], json!([]));
    let ended: Value = world.viewer.get("/v1/operations?cluster=b&fields=kind,cluster").await?.expect(200)?.json()?;
    assert_eq!(ended["items"], json!([{"kind": "cluster-create", "cluster": "b"}]));
    for wrong in ["limit=0", "limit=1001", "phase=happy", "fase=ready", "after=%FF"] {
        world.viewer.get(&format!("/v1/orchestrators?{wrong}")).await?.problem(400, "invalid-argument")?;
    }
    Ok(())
}

#[tokio::test]
async fn the_daemon_its_accounts_and_the_caller_can_be_asked_for() -> Result<()> {
    let world = World::start().await?;
    let whoami: Value = world.operator.get("/v1/whoami").await?.expect(200)?.json()?;
    assert_eq!((&whoami["owner"], &whoami["role"]), (&json!("olga"), &json!("operator")));
    let version: Value = world.viewer.get("/v1/version").await?.expect(200)?.json()?;
    assert_eq!(version["instance"], world.daemon.instance());
    let findings: Value = world.viewer.get("/v1/doctor").await?.expect(200)?.json()?;
    assert!(findings.as_array().is_some_and(|findings| !findings.is_empty()), "{findings}");

    let account = json!({"infrastructure": "sim", "credentials": {"password": "hunter2"}});
    let put = world.admin.send("PUT", "/v1/accounts/main", Some(account.clone())).await?;
    let put = if put.status == 200 {
        put
    } else {
        world.admin.send("PUT", "/v1/accounts/main", Some(json!({"infrastructure": "sim"}))).await?.expect(200)?
    };
    assert!(!put.text().contains("hunter2"), "{}", put.text());
    let accounts: Value = world.viewer.get("/v1/accounts").await?.expect(200)?.json()?;
    assert_eq!(accounts[0]["name"], "main");
    let check: Value = world.operator.send("POST", "/v1/accounts/main/check", None).await?.expect(200)?.json()?;
    assert_eq!(check["account"], "main");
    world.admin.send("DELETE", "/v1/accounts/main", None).await?.expect(204)?;
    world.admin.send("DELETE", "/v1/accounts/main", None).await?.problem(404, "not-found")?;

    assert_eq!(world.bridge.http().get("/healthz").await?.expect(200)?.text(), "ok\n");
    assert_eq!(world.bridge.http().get("/readyz").await?.expect(200)?.text(), "ready\n");
    let metrics = world.viewer.get("/metrics").await?.expect(200)?.text();
    assert!(
        metrics.contains("muster_bridge_requests_total{method=\"GET\",route=\"/v1/whoami\",status=\"200\"}"),
        "{metrics}"
    );
    assert!(metrics.contains("muster_requests_total{operation=\"whoami\""), "the daemon's own: {metrics}");
    let described: Vec<&str> = metrics.lines().filter(|line| line.starts_with("# TYPE ")).collect();
    let distinct: std::collections::BTreeSet<&&str> = described.iter().collect();
    assert_eq!(described.len(), distinct.len(), "no metric is described twice");
    Ok(())
}

#[tokio::test]
async fn a_bridge_without_its_daemon_says_so_and_goes_on_when_it_is_back() -> Result<()> {
    let mut world = World::start().await?;
    world.cluster("demo", 0).await?;
    world.daemon.stop()?;
    world.bridge.http().get("/healthz").await?.expect(200)?;
    world.bridge.http().get("/readyz").await?.problem(503, "unavailable")?;
    let problem = world.viewer.get("/v1/orchestrators").await?.problem(503, "unavailable")?;
    assert_eq!(problem["retry"], "later");
    world.daemon.start_again().await?;
    world.bridge.http().get("/readyz").await?.expect(200)?;
    let clusters: Value = world.viewer.get("/v1/orchestrators").await?.expect(200)?.json()?;
    assert_eq!(names(&clusters), ["demo"]);
    Ok(())
}
