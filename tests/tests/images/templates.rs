//! One test a template: what its users do with it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use muster_catalog::Catalog;
use muster_tests::images::OFFICIAL;
use muster_tests::images::docker::docker;
use muster_tests::skip::docker_is_wanted;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::deployment::Deployment;

/// Sends text to a server and reads until `end` has come.
async fn converse(address: &str, text: &str, end: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(text.as_bytes()).await?;
    let mut answer = String::new();
    let mut buffer = [0; 4096];
    let exchange = async {
        while !answer.contains(end) {
            let count = stream.read(&mut buffer).await?;
            anyhow::ensure!(count > 0, "the server hung up after {answer:?}");
            answer.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        Ok(())
    };
    let in_time = tokio::time::timeout(Duration::from_secs(20), exchange).await;
    in_time.with_context(|| format!("no {end:?} from {address}"))??;
    Ok(answer)
}

#[test]
fn every_image_of_a_built_in_template_can_be_made() {
    for template in Catalog::load(None).list().templates {
        for image in template.services.values() {
            assert!(OFFICIAL.contains(&image.as_str()), "{}: {image}", template.name);
        }
    }
}

#[tokio::test]
async fn hello_greets_with_the_name_of_its_container_and_stops_at_once() -> Result<()> {
    if !docker_is_wanted("hello_greets_with_the_name_of_its_container_and_stops_at_once") {
        return Ok(());
    }
    let greeting = "it's \"$(me)\" & <you>";
    let hello = Deployment::of("hello", &[("greeting", greeting)]).await?;
    let (status, body) = hello.get("hello", 8080, "/").await?;
    let container = hello.container("hello");
    assert_eq!((status, body.as_str()), (200, format!("{greeting}\n{}\n", &container[..12]).as_str()));
    docker(&["stop", container]).await?;
    let code = docker(&["inspect", "--format", "{{.State.ExitCode}}", container]).await?;
    assert_ne!(code, "137", "it had to be killed");
    Ok(())
}

#[tokio::test]
async fn nginx_serves_the_given_page() -> Result<()> {
    if !docker_is_wanted("nginx_serves_the_given_page") {
        return Ok(());
    }
    let page = "<p>${HOME} \"quoted\": {yaml}</p>";
    let nginx = Deployment::of("nginx", &[("page", page)]).await?;
    assert_eq!(nginx.get("nginx", 80, "/").await?, (200, page.to_owned()));
    assert_eq!(nginx.get("nginx", 80, "/nothing").await?.0, 404);
    Ok(())
}

#[tokio::test]
async fn redis_asks_for_the_password_and_keeps_data_over_a_restart() -> Result<()> {
    if !docker_is_wanted("redis_asks_for_the_password_and_keeps_data_over_a_restart") {
        return Ok(());
    }
    let (redis, services) =
        Deployment::start("redis", &[("password", "s3 cret'$#"), ("max-memory", "32Mi"), ("eviction", "allkeys-lru")])
            .await?;
    let address = redis.address("redis", 6379).await?;
    assert!(converse(&address, "PING\r\nQUIT\r\n", "OK").await?.starts_with("-NOAUTH"));
    let log_in = "AUTH \"s3 cret'$#\"\r\n";
    let answer = converse(&address, &format!("{log_in}SET k v\r\nCONFIG GET maxmemory\r\nPING\r\n"), "PONG").await?;
    assert!(answer.starts_with("+OK\r\n+OK\r\n") && answer.contains("33554432"), "{answer}");
    docker(&["restart", redis.container("redis")]).await?;
    redis.wait_until_healthy(&services[0]).await?;
    let address = redis.address("redis", 6379).await?;
    assert!(converse(&address, &format!("{log_in}GET k\r\nPING\r\n"), "PONG").await?.contains("$1\r\nv\r\n"));
    Ok(())
}

#[tokio::test]
async fn postgres_lets_the_owner_in_with_the_password_and_nobody_without() -> Result<()> {
    if !docker_is_wanted("postgres_lets_the_owner_in_with_the_password_and_nobody_without") {
        return Ok(());
    }
    let values = [("database", "shop"), ("user", "owner"), ("password", "p'a\"s\\s word")];
    let (postgres, services) = Deployment::start("postgres", &values).await?;
    let host = postgres.address("postgres", 5432).await?.replace(":5432", "");
    let query = async |password: &str, sql: &str| {
        let password = format!("PGPASSWORD={password}");
        let psql = ["env", &password, "psql", "-X", "-A", "-t", "-h", &host, "-U", "owner", "-d", "shop", "-c", sql];
        postgres.exec("postgres", &psql).await
    };
    query(values[2].1, "CREATE TABLE t AS SELECT 42 AS n").await?;
    assert!(query("wrong", "SELECT 1").await.is_err());
    docker(&["restart", postgres.container("postgres")]).await?;
    postgres.wait_until_healthy(&services[0]).await?;
    assert_eq!(query(values[2].1, "SELECT n FROM t").await?, "42");
    Ok(())
}

#[tokio::test]
async fn wordpress_installs_itself_into_its_database() -> Result<()> {
    if !docker_is_wanted("wordpress_installs_itself_into_its_database") {
        return Ok(());
    }
    let wordpress = Deployment::of("wordpress", &[]).await?;
    let (status, page) = wordpress.get("wordpress", 80, "/wp-admin/install.php").await?;
    assert!(status == 200 && page.contains("weblog_title"), "{status} {page}");
    let form = "weblog_title=Mustered&user_name=admin&admin_password=pw&admin_password2=pw&pw_weak=1\
                &admin_email=a@example.org&Submit=Install";
    let install = "http://127.0.0.1/wp-admin/install.php?step=2";
    let done = wordpress.exec("wordpress", &["curl", "-fsS", "-d", form, install]).await?;
    assert!(done.contains("WordPress has been installed"), "{done}");
    // The address of the request becomes the site's, so ask by the same one.
    let site = wordpress.exec("wordpress", &["curl", "-fsS", "http://127.0.0.1/"]).await?;
    assert!(site.contains("<title>Mustered"), "{site}");
    Ok(())
}

#[tokio::test]
async fn registry_takes_an_image_and_gives_it_back() -> Result<()> {
    if !docker_is_wanted("registry_takes_an_image_and_gives_it_back") {
        return Ok(());
    }
    let registry = Deployment::of("registry", &[("allow-delete", "true")]).await?;
    assert_eq!(registry.get("registry", 5000, "/v2/").await?.0, 200);
    let variables = registry.exec("registry", &["env"]).await?;
    assert!(variables.contains("REGISTRY_STORAGE_DELETE_ENABLED=true"), "{variables}");
    // By its own protocol: a blob in one piece, then the same back.
    let (content, digest) = ("hello", "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
    let script = format!(
        "place=$(curl -fsSi -X POST http://127.0.0.1:5000/v2/x/blobs/uploads/ | tr -d '\\r' | sed -n 's/^Location: //p')
         curl -fsS -X PUT -H 'Content-Type: application/octet-stream' -d {content} \"$place&digest={digest}\"
         curl -fsS http://127.0.0.1:5000/v2/x/blobs/{digest}"
    );
    assert_eq!(registry.exec("registry", &["sh", "-ec", &script]).await?, content);
    Ok(())
}

#[tokio::test]
async fn prometheus_measures_its_target() -> Result<()> {
    if !docker_is_wanted("prometheus_measures_its_target") {
        return Ok(());
    }
    let prometheus = Deployment::of("prometheus", &[("target", "prometheus:9090"), ("interval-seconds", "1")]).await?;
    assert_eq!(prometheus.get("prometheus", 9090, "/-/ready").await?.0, 200);
    let query = "/api/v1/query?query=up%7Bjob%3D%22target%22%7D";
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let (_, answer) = prometheus.get("prometheus", 9090, query).await?;
        if answer.contains("\"instance\":\"prometheus:9090\"") && answer.contains(",\"1\"]") {
            return Ok(());
        }
        assert!(Instant::now() < deadline, "{answer}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn nats_carries_messages_for_those_who_log_in() -> Result<()> {
    if !docker_is_wanted("nats_carries_messages_for_those_who_log_in") {
        return Ok(());
    }
    let nats = Deployment::of("nats", &[("password", "pa$$ w0rd"), ("max-payload", "2Mi")]).await?;
    let address = nats.address("nats", 4222).await?;
    let log_in =
        |password: &str| format!("CONNECT {{\"verbose\":false,\"user\":\"muster\",\"pass\":\"{password}\"}}\r\n");
    let refused = converse(&address, &format!("{}PING\r\n", log_in("wrong")), "-ERR").await?;
    assert!(refused.contains("Authorization Violation"), "{refused}");
    let talk = format!("{}SUB news 1\r\nPUB news 5\r\nhello\r\nPING\r\n", log_in("pa$$ w0rd"));
    let answer = converse(&address, &talk, "PONG").await?;
    assert!(answer.contains("MSG news 1 5\r\nhello\r\n"), "{answer}");
    assert!(answer.contains("\"max_payload\":2097152") && answer.contains("\"jetstream\":true"), "{answer}");
    Ok(())
}

#[tokio::test]
async fn a_batch_job_runs_its_script_to_the_end() -> Result<()> {
    if !docker_is_wanted("a_batch_job_runs_its_script_to_the_end") {
        return Ok(());
    }
    let script = "for n in 1 2 3; do echo \"n=${n}\"; done; exit 3";
    let job = Deployment::of("batch-job", &[("script", script)]).await?;
    let container = job.container("batch-job");
    assert_eq!(docker(&["wait", container]).await?, "3");
    assert_eq!(docker(&["logs", container]).await?, "n=1\nn=2\nn=3");
    Ok(())
}
