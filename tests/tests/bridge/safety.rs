//! Who is let in, with what, and how much.

use std::time::Duration;

use anyhow::{Context, Result};
use muster_tests::http::Http;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::World;

fn sim(name: &str) -> Value {
    json!({"name": name, "orchestrator": "sim", "infrastructure": "sim"})
}

#[tokio::test]
async fn nobody_without_a_good_token_is_let_in_and_a_revoked_one_is_not_good() -> Result<()> {
    let world = World::start().await?;
    let nobody = world.bridge.http();
    for path in ["/v1/orchestrators", "/v1/whoami", "/metrics", "/v1/events"] {
        let answer = nobody.get(path).await?;
        answer.problem(401, "unauthenticated")?;
        assert!(answer.header("www-authenticate").starts_with("Bearer"), "{path}");
    }
    let forged = format!("{}x", &world.operator_token[..world.operator_token.len() - 1]);
    nobody.with_token(&forged)?.get("/v1/whoami").await?.problem(401, "unauthenticated")?;
    nobody.with("authorization", "Basic eDp5")?.get("/v1/whoami").await?.problem(401, "unauthenticated")?;
    world.operator.get("/v1/whoami").await?.expect(200)?;
    world.daemon.revoke("olga").await?;
    // What the daemon is asked for is refused at once, and the bridge knows it in moments.
    let refused = world.operator.get("/v1/orchestrators").await?;
    assert!([401, 403].contains(&refused.status), "{}", refused.text());
    world.until_refused(&world.operator).await?;
    world.viewer.get("/v1/whoami").await?.expect(200)?;
    let list: Value = world.daemon.cli().json(&["token", "list"]).await?;
    let names: Vec<_> = list.as_array().context("no list")?.iter().map(|token| token["name"].as_str()).collect();
    assert_eq!(names, [Some("ada"), Some("vera")]);
    let secret = world.operator_token.splitn(3, '_').nth(2).context("not a token")?;
    assert!(!world.daemon.log().contains(secret) && !world.bridge.log().contains(secret));
    assert!(!list.to_string().contains(secret));
    Ok(())
}

#[tokio::test]
async fn each_role_may_what_it_may_and_nothing_more() -> Result<()> {
    let world = World::start().await?;
    world.cluster("demo", 0).await?;
    world.viewer.post("/v1/orchestrators?dryRun=true", sim("x")).await?.expect(200)?;
    let changes = [
        ("POST", "/v1/orchestrators", Some(sim("x"))),
        ("DELETE", "/v1/orchestrators/demo", None),
        ("POST", "/v1/orchestrators/demo/scale", Some(json!({"workers": 1}))),
        ("POST", "/v1/orchestrators/demo/retry", None),
        ("POST", "/v1/orchestrators/demo/upgrade", Some(json!({}))),
        ("POST", "/v1/orchestrators/demo/renew", None),
        ("POST", "/v1/orchestrators/demo/access", Some(json!({}))),
        ("POST", "/v1/orchestrators/demo/services", Some(json!({"spec": {"name": "a", "image": "b"}}))),
        ("DELETE", "/v1/orchestrators/demo/services/web", None),
        ("PUT", "/v1/orchestrators/demo/services/web/spec", Some(json!({"name": "web", "image": "b"}))),
        ("POST", "/v1/orchestrators/demo/services/web/scale", Some(json!({"replicas": 1}))),
        ("POST", "/v1/operations/01940000-0000-7000-8000-000000000000/cancel", None),
        ("POST", "/v1/accounts/main/check", None),
        ("PUT", "/v1/accounts/main", Some(json!({"infrastructure": "sim"}))),
        ("DELETE", "/v1/accounts/main", None),
    ];
    for (method, path, body) in changes {
        world.viewer.send(method, path, body.clone()).await?.problem(403, "permission-denied")?;
        if path.starts_with("/v1/accounts/main") && !path.ends_with("check") {
            world.operator.send(method, path, body).await?.problem(403, "permission-denied")?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_session_of_the_page_cannot_be_read_by_scripts_and_changes_need_its_word() -> Result<()> {
    let world = World::start().await?;
    let nobody = world.bridge.http();
    let begun = nobody.post("/session", json!({"token": world.operator_token})).await?.expect(200)?;
    let cookie = begun.header("set-cookie").to_owned();
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age="] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    let session: Value = begun.json()?;
    let csrf = session["csrf"].as_str().context("no CSRF token")?;
    let pair = cookie.split(';').next().context("no cookie")?;
    let page = nobody.with("cookie", pair)?;
    let whoami: Value = page.get("/v1/whoami").await?.expect(200)?.json()?;
    assert_eq!(whoami["owner"], "olga");
    assert_eq!(page.get("/session").await?.expect(200)?.json::<Value>()?["csrf"], csrf);

    page.post("/v1/orchestrators", sim("x")).await?.problem(403, "permission-denied")?;
    page.with("x-csrf-token", "guess")?.post("/v1/orchestrators", sim("x")).await?.problem(403, "permission-denied")?;
    page.with("x-csrf-token", csrf)?.post("/v1/orchestrators", sim("x")).await?.expect(202)?;

    page.send("DELETE", "/session", None).await?.expect(204)?;
    page.get("/v1/whoami").await?.problem(401, "unauthenticated")?;
    nobody.post("/session", json!({"token": "mst_a_b"})).await?.problem(401, "unauthenticated")?;

    // A session ends with its token.
    let begun = nobody.post("/session", json!({"token": world.operator_token})).await?.expect(200)?;
    let page = nobody.with("cookie", begun.header("set-cookie").split(';').next().context("no cookie")?)?;
    page.get("/v1/whoami").await?.expect(200)?;
    world.daemon.revoke("olga").await?;
    world.until_refused(&page).await?;
    Ok(())
}

#[tokio::test]
async fn too_much_is_refused_each_in_its_own_way() -> Result<()> {
    let limits = "[limits]\nbody_bytes = 2000\nrequests_per_minute_per_token = 60\nrefused_tokens_per_minute = 5\n";
    let world = World::start_with("", limits).await?;
    let long = json!({"name": "x", "orchestrator": "sim", "infrastructure": "sim", "labels": {"a": "b".repeat(3000)}});
    world.operator.post("/v1/orchestrators", long).await?.problem(413, "too-large")?;
    let plain = world.operator.send_bytes("POST", "/v1/orchestrators", Some("text/plain"), "{}".into()).await?;
    plain.problem(415, "unsupported-media-type")?;
    let answer = world.operator.send("PATCH", "/v1/orchestrators", None).await?;
    answer.problem(405, "method-not-allowed")?;
    assert!(answer.header("allow").contains("POST"), "{:?}", answer.headers);
    world.operator.get("/v2").await?.problem(404, "not-found")?;

    let mut refused = None;
    for _ in 0..70 {
        let answer = world.viewer.get("/v1/whoami").await?;
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.context("70 requests in a moment were let through")?;
    refused.problem(429, "rate-limited")?;
    assert!(refused.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds >= 1));
    world.admin.get("/v1/whoami").await?.expect(200)?;

    // Guessing tokens is slowed down, and locks nobody out who has a good one.
    let mut statuses = Vec::new();
    for number in 0..7 {
        statuses.push(world.bridge.http().with_token(&format!("mst_guess_{number}"))?.get("/v1/whoami").await?.status);
    }
    assert_eq!((statuses.first(), statuses.last()), (Some(&401), Some(&429)), "{statuses:?}");
    let page = world.bridge.http().post("/session", json!({"token": "mst_a_b"})).await?;
    page.problem(429, "rate-limited")?;
    world.admin.get("/v1/whoami").await?.expect(200)?;
    Ok(())
}

#[tokio::test]
async fn other_sites_and_frames_are_kept_out_by_headers() -> Result<()> {
    let world = World::start().await?;
    let other_site = world.viewer.with("origin", "https://evil.example")?;
    for path in ["/v1/orchestrators", "/", "/v1/openapi.json"] {
        let answer = other_site.get(path).await?.expect(200)?;
        assert_eq!(answer.header("access-control-allow-origin"), "", "{path}");
        let csp = answer.header("content-security-policy");
        assert!(csp.contains("default-src 'none'") && csp.contains("frame-ancestors 'none'"), "{path}: {csp}");
        assert!(!csp.contains("unsafe"), "{path}: {csp}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn a_connection_that_sends_its_head_slowly_or_nothing_is_closed_and_others_go_on() -> Result<()> {
    let world = World::start_with("", "[limits]\nheader_ms = 500\nbody_ms = 500\n").await?;
    let address = world.bridge.address().strip_prefix("http://").context("no address")?.to_owned();
    let mut idle = TcpStream::connect(&address).await?;
    let mut slow = TcpStream::connect(&address).await?;
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ").await?;
    let mut body = TcpStream::connect(&address).await?;
    let head = format!(
        "POST /v1/orchestrators HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: 100\r\n\r\n{{",
        world.operator_token
    );
    body.write_all(head.as_bytes()).await?;
    world.bridge.http().get("/healthz").await?.expect(200)?;
    let closed = |stream: TcpStream| async move {
        let mut stream = stream;
        let mut bytes = Vec::new();
        tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut bytes)).await.context("still open")??;
        anyhow::Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let mut first = [0_u8; 1024];
    let read = tokio::time::timeout(Duration::from_secs(20), body.read(&mut first)).await.context("no answer")??;
    assert!(String::from_utf8_lossy(&first[..read]).starts_with("HTTP/1.1 408"), "{:?}", &first[..read]);
    closed(slow).await?;
    idle.flush().await?;
    closed(idle).await?;
    Ok(())
}

#[tokio::test]
async fn an_orderly_end_lets_streams_end_and_answers_what_is_under_way() -> Result<()> {
    let world = World::start_with("", "[limits]\ndrain_ms = 500\n").await?;
    let mut stream = world.viewer.events("/v1/events").await?;
    stream.next().await?.context("no event")?;
    let World { bridge, .. } = world;
    bridge.stop().await
}

/// Thousands of connections that say nothing, in the harness's own process too: it needs as many files.
#[tokio::test]
async fn ten_thousand_idle_connections_keep_nobody_else_waiting() -> Result<()> {
    const IDLE: usize = 10_000;
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    rustix::process::setrlimit(
        rustix::process::Resource::Nofile,
        rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum },
    )?;
    assert!(most >= 12_000, "this system allows {most} files");
    let world = World::start().await?;
    let address = world.bridge.address().strip_prefix("http://").context("no address")?.to_owned();
    let mut idle = Vec::with_capacity(IDLE);
    for _ in 0..IDLE {
        idle.push(TcpStream::connect(&address).await?);
    }
    let others: Http = world.viewer.clone();
    let began = std::time::Instant::now();
    for _ in 0..100 {
        others.get("/v1/orchestrators").await?.expect(200)?;
    }
    let took = began.elapsed();
    assert!(took < Duration::from_secs(20), "100 requests took {took:?}");
    assert_eq!(idle.len(), IDLE);
    Ok(())
}
