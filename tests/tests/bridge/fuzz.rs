//! Heads and bodies that nobody would send on purpose, a fixed number of them, the same in each run.

use std::time::Duration;

use anyhow::{Context, Result};
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::World;

const RUNS: usize = 2_000;
const AT_ONCE: usize = 8;
/// A bridge that is silent for so long hangs; half a request is closed by `header_ms` or `body_ms` before.
const LIMIT: Duration = Duration::from_secs(30);

/// A request that is good, and then not.
fn spoilt(seed: u64, token: &str) -> Vec<u8> {
    let mut random = StdRng::seed_from_u64(seed);
    let body =
        r#"{"name":"fuzz","orchestrator":"sim","infrastructure":"sim","labels":{"a":"b"},"machine":{"cpu":"500m"}}"#;
    let mut bytes = format!(
        "POST /v1/orchestrators?dryRun=true HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: \
         application/json\r\nIdempotency-Key: k\r\nPrefer: wait=0\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .into_bytes();
    for _ in 0..random.random_range(1..8) {
        if bytes.is_empty() {
            break;
        }
        let at = random.random_range(0..bytes.len());
        match random.random_range(0..5) {
            0 => bytes[at] = random.random(),
            1 => bytes.insert(at, random.random()),
            2 => {
                bytes.remove(at);
            }
            3 => bytes.truncate(at),
            _ => {
                let mut block = [0_u8; 64];
                random.fill_bytes(&mut block);
                bytes.splice(at..at, block);
            }
        }
    }
    bytes
}

/// Sends it and reads what is answered, until the bridge closes the connection.
async fn answer(address: &str, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await.context("the bridge does not accept")?;
    // A bridge that has refused already may close before all is written.
    let _refused = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let read = tokio::time::timeout(LIMIT, stream.read_to_end(&mut answer)).await.context("neither answer nor end")?;
    // So it may be with what it has not read.
    let _reset = read;
    Ok(answer)
}

#[tokio::test]
async fn spoilt_requests_are_refused_and_the_bridge_goes_on() -> Result<()> {
    let limits = "[limits]\nheader_ms = 300\nbody_ms = 300\nrefused_tokens_per_minute = 1000000\n\
        requests_per_minute_per_token = 1000000\nrequests_per_minute_per_address = 1000000\n";
    let world = World::start_with("", limits).await?;
    let address = world.bridge.address().strip_prefix("http://").context("no address")?.to_owned();
    let mut runs = tokio::task::JoinSet::new();
    let mut statuses = std::collections::BTreeMap::<String, usize>::new();
    let mut note = |answer: Vec<u8>| {
        let status = String::from_utf8_lossy(&answer).split_whitespace().nth(1).unwrap_or("closed").to_owned();
        *statuses.entry(status).or_default() += 1;
    };
    for seed in 0..RUNS as u64 {
        if runs.len() == AT_ONCE {
            note(runs.join_next().await.context("none runs")???);
        }
        let (address, token) = (address.clone(), world.operator_token.clone());
        runs.spawn(async move {
            let bytes = spoilt(seed, &token);
            answer(&address, &bytes).await.with_context(|| format!("seed {seed}"))
        });
    }
    while let Some(ended) = runs.join_next().await {
        note(ended??);
    }
    assert_eq!(statuses.values().sum::<usize>(), RUNS);
    assert!(statuses.keys().all(|status| !status.starts_with('5')), "{statuses:?}");
    assert!(
        statuses.contains_key("400") && statuses.contains_key("401") && statuses.contains_key("200"),
        "{statuses:?}"
    );
    let log = world.bridge.log();
    assert!(!log.contains("panicked"), "{log}");
    world.viewer.get("/v1/orchestrators").await?.expect(200)?;
    Ok(())
}
