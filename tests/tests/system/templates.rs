//! Every built-in template on a real cluster, used as its users would use it there: by its endpoint where it has one, by
//! its name from within the cluster where it has none. One cluster for all, each removed before the next comes.
//!
//! Covers: createOrchestratorService, deleteOrchestratorService, getContainerServiceInfo,
//! getOrchestratorsServiceInfo, getOrchestratorServiceLogs, listContainers.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use muster_catalog::Catalog;
use muster_protocol::model::container::ContainerInfo;
use muster_protocol::model::operation::OperationInfo;
use muster_protocol::model::service::{LogLine, ServiceInfo, ServicePhase};
use muster_tests::images::OFFICIAL;

use crate::lab::{LIMIT, Lab, with_lab};

const CLUSTER: &str = "shelf";

#[tokio::test]
async fn every_built_in_template_works_on_a_swarm() -> Result<()> {
    with_lab("every_built_in_template_works_on_a_swarm", &OFFICIAL, async |lab| {
        create(lab).await?;
        let templates: Vec<String> =
            Catalog::load(None).list().templates.iter().map(|template| template.name.to_string()).collect();
        for template in &templates {
            let began = Instant::now();
            use_it(lab, template).await.with_context(|| format!("template {template}"))?;
            println!("{template}: {:.1} s", began.elapsed().as_secs_f32());
        }
        // Their images follow, and with these the notes of them.
        let notes = ["docker", "config", "ls", "-q"];
        lab.on_machine_until(CLUSTER, "control-plane-1", &notes, str::is_empty).await?;
        lab.delete(CLUSTER).await?;
        Ok(())
    })
    .await
}

/// A cluster on whose machines no image stays for later.
async fn create(lab: &Lab) -> Result<()> {
    let kinds = ["--orchestrator", "swarm", "--infrastructure", "local", "--workers", "1"];
    let create = [&["cluster", "create", CLUSTER, "--option", "keepImages=1s", "--wait"][..], &kinds].concat();
    let _: OperationInfo = lab.cli().json(&create).await?;
    Ok(())
}

async fn use_it(lab: &Lab, template: &str) -> Result<()> {
    match template {
        "batch-job" => batch_job(lab).await?,
        "hello" => hello(lab).await?,
        "nats" => nats(lab).await?,
        "nginx" => nginx(lab).await?,
        "postgres" => postgres(lab).await?,
        "prometheus" => prometheus(lab).await?,
        "redis" => redis(lab).await?,
        "registry" => registry(lab).await?,
        "wordpress" => wordpress(lab).await?,
        other => anyhow::bail!("nobody has said how `{other}` is used: add it here"),
    }
    remove_all(lab).await
}

async fn deploy(lab: &Lab, template: &str, values: &[&str]) -> Result<ServiceInfo> {
    let mut create = vec!["service", "create", "--cluster", CLUSTER, "--template", template, "--wait"];
    for value in values {
        create.extend(["--set", value]);
    }
    let _: OperationInfo = lab.cli().json(&create).await?;
    lab.cli().json(&["service", "info", template, "--cluster", CLUSTER]).await
}

/// Removes all services, and sees that their containers are gone.
async fn remove_all(lab: &Lab) -> Result<()> {
    let services: Vec<ServiceInfo> = lab.cli().json(&["service", "list", "--cluster", CLUSTER]).await?;
    for service in services {
        let name = service.spec.name.as_str();
        let _: OperationInfo = lab.cli().json(&["service", "delete", name, "--cluster", CLUSTER, "--wait"]).await?;
    }
    let containers = ["container", "list", "--cluster", CLUSTER];
    lab.cli().until(&containers, LIMIT, |containers: &Vec<ContainerInfo>| containers.is_empty()).await?;
    // What Swarm keeps beside services goes with them too.
    for kind in ["service", "secret"] {
        let left = lab.on_machine(CLUSTER, "control-plane-1", &["docker", kind, "ls", "-q"]).await?;
        ensure!(left.is_empty(), "a {kind} is left in the swarm: {left}");
    }
    let configs = ["docker", "config", "ls", "--format", "{{.Name}}"];
    let configs = lab.on_machine(CLUSTER, "control-plane-1", &configs).await?;
    let left = configs.lines().find(|name| !name.starts_with("io.muster.image."));
    ensure!(left.is_none(), "a config is left in the swarm: {left:?}");
    Ok(())
}

/// Says something to a port of a service under its name in the cluster, from a container of the service.
async fn say(lab: &Lab, service: &str, port: u16, words: &str, until: &str) -> Result<String> {
    let script = format!(
        "exec 3<>/dev/tcp/{service}/{port}; printf '{words}' >&3; \
         while IFS= read -r -t 10 line <&3; do echo \"$line\"; case $line in *{until}*) exit 0;; esac; done; exit 9"
    );
    lab.in_service(CLUSTER, service, &["bash", "-c", &script]).await
}

async fn batch_job(lab: &Lab) -> Result<()> {
    let script = "script=echo ran; exit 0";
    let job = deploy(lab, "batch-job", &[script, "completions=2"]).await?;
    assert_eq!((job.phase, job.ready), (ServicePhase::Complete, 2));
    let logs = lab.cli().run(&["service", "logs", "batch-job", "--cluster", CLUSTER]).await?.stdout;
    let lines: Vec<LogLine> = logs.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    assert_eq!(lines.iter().filter(|line| line.text == "ran").count(), 2, "{logs}");
    Ok(())
}

async fn hello(lab: &Lab) -> Result<()> {
    deploy(lab, "hello", &["greeting=Well met", "replicas=2"]).await?;
    lab.fetch(CLUSTER, "hello", "/", |status, body| status == 200 && body.starts_with("Well met\n")).await?;
    Ok(())
}

async fn nats(lab: &Lab) -> Result<()> {
    deploy(lab, "nats", &["password=pass-word"]).await?;
    let log_in = "CONNECT {\"verbose\":false,\"user\":\"muster\",\"pass\":\"pass-word\"}\\r\\n";
    let words = format!("{log_in}SUB news 1\\r\\nPUB news 5\\r\\nhello\\r\\nPING\\r\\n");
    let heard = say(lab, "nats", 4222, &words, "PONG").await?;
    ensure!(heard.contains("MSG news 1 5") && heard.contains("hello"), "{heard}");
    Ok(())
}

async fn nginx(lab: &Lab) -> Result<()> {
    deploy(lab, "nginx", &["page=<p>on the swarm</p>"]).await?;
    let body = lab.fetch(CLUSTER, "nginx", "/", |status, _| status == 200).await?;
    assert_eq!(body, "<p>on the swarm</p>");
    Ok(())
}

async fn postgres(lab: &Lab) -> Result<()> {
    deploy(lab, "postgres", &["database=shop", "user=owner", "password=pass word"]).await?;
    let script = "PGPASSWORD='pass word' psql -XAt -h postgres -U owner shop -c 'SELECT 6 * 7'";
    assert_eq!(lab.in_service(CLUSTER, "postgres", &["sh", "-c", script]).await?, "42");
    let without = "PGPASSWORD=guess psql -XAt -h postgres -U owner shop -c 'SELECT 1'";
    assert!(lab.in_service(CLUSTER, "postgres", &["sh", "-c", without]).await.is_err(), "a guess must not do");
    Ok(())
}

async fn prometheus(lab: &Lab) -> Result<()> {
    deploy(lab, "prometheus", &["interval-seconds=1"]).await?;
    lab.fetch(CLUSTER, "prometheus", "/-/ready", |status, _| status == 200).await?;
    let query = "/api/v1/query?query=up%7Bjob%3D%22prometheus%22%7D";
    lab.fetch(CLUSTER, "prometheus", query, |status, body| status == 200 && body.contains(",\"1\"]")).await?;
    Ok(())
}

async fn redis(lab: &Lab) -> Result<()> {
    deploy(lab, "redis", &["password=pass-word"]).await?;
    let ping = ["redis-cli", "--no-auth-warning", "-h", "redis", "-a", "pass-word", "ping"];
    assert_eq!(lab.in_service(CLUSTER, "redis", &ping).await?, "PONG");
    let without = lab.in_service(CLUSTER, "redis", &["redis-cli", "-h", "redis", "ping"]).await?;
    ensure!(without.contains("NOAUTH"), "{without}");
    Ok(())
}

async fn registry(lab: &Lab) -> Result<()> {
    deploy(lab, "registry", &[]).await?;
    lab.fetch(CLUSTER, "registry", "/v2/", |status, body| status == 200 && body.trim() == "{}").await?;
    Ok(())
}

/// Two services: the site is there when it reaches its database by that one's name.
async fn wordpress(lab: &Lab) -> Result<()> {
    deploy(lab, "wordpress", &[]).await?;
    let install = "/wp-admin/install.php";
    lab.fetch(CLUSTER, "wordpress", install, |status, page| status == 200 && page.contains("weblog_title")).await?;
    let database: ServiceInfo = lab.cli().json(&["service", "info", "wordpress-db", "--cluster", CLUSTER]).await?;
    assert_eq!(database.phase, ServicePhase::Running);
    let form = "weblog_title=Mustered&user_name=admin&admin_password=pw&admin_password2=pw&pw_weak=1\
                &admin_email=a@example.org&Submit=Install";
    let done = ["curl", "-fsS", "-d", form, "http://127.0.0.1/wp-admin/install.php?step=2"];
    let page = lab.in_service(CLUSTER, "wordpress", &done).await?;
    ensure!(page.contains("WordPress has been installed"), "{page}");
    Ok(())
}
