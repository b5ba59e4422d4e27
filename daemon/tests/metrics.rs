//! The metrics of a process, as what would show them reads them. In a process of their own, for they are its.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

#[path = "gateway/support.rs"]
#[allow(dead_code, reason = "the tests of the gateway use the rest")]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use metrics_exporter_prometheus::PrometheusHandle;
use muster_protocol::ErrorCode;
use musterd::telemetry::metrics::{METRICS, start};
use support::{TestDaemon, name, spec, succeed, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// The value behind each name with its labels.
fn values(metrics: &PrometheusHandle) -> BTreeMap<String, f64> {
    let text = metrics.render();
    let lines = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
    lines.map(|(name, value)| (name.to_owned(), value.parse().unwrap())).collect()
}

#[tokio::test]
async fn what_happens_is_counted_and_every_metric_says_what_it_is() {
    let metrics = start().unwrap();
    let daemon = TestDaemon::measured(metrics.clone()).await;
    let client = daemon.client().await;
    succeed(&client, client.cluster_create(spec("demo"), None).await.unwrap()).await;
    let refused = client.cluster_info(&name("nothing")).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::NotFound);
    let mut stranger = UnixStream::connect(daemon.socket()).await.unwrap();
    stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    // Closed, politely or not.
    let _ = stranger.read_to_end(&mut Vec::new()).await;

    let seen = values(&metrics);
    let value = |name: &str| *seen.get(name).unwrap_or_else(|| panic!("no {name} in {seen:#?}"));
    assert_eq!(value(r#"muster_requests_total{operation="createOrchestrator",result="ok"}"#), 1.0);
    assert_eq!(value(r#"muster_requests_total{operation="getOrchestratorInfo",result="not-found"}"#), 1.0);
    assert!(value(r#"muster_request_seconds_sum{operation="createOrchestrator"}"#) > 0.0);
    assert_eq!(value(r#"muster_request_seconds_count{operation="createOrchestrator"}"#), 1.0);
    // Network; three machines made, prepared and joined; the cluster formed.
    assert_eq!(value(r#"muster_steps_total{result="done"}"#), 11.0);
    assert!(value("muster_store_batches_total") >= value("muster_store_groups_total"));
    // Counted one after the other, so those of the last group perhaps in a moment.
    until("each batch is timed", async || {
        let seen = values(&metrics);
        seen.get("muster_store_commit_seconds_count") >= seen.get("muster_store_batches_total")
    })
    .await;
    until("the stranger and nobody else failed to say hello", async || {
        values(&metrics).get("muster_handshakes_failed_total") == Some(&1.0)
    })
    .await;
    until("only the client is connected", async || values(&metrics).get("muster_sessions") == Some(&1.0)).await;
    until("the cluster is counted as ready", async || {
        values(&metrics).get(r#"muster_clusters{phase="ready"}"#) == Some(&1.0)
    })
    .await;

    let text = metrics.render();
    let described: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split(' ').next()).collect();
    let of = |line: &str| line.split(['{', ' ']).next().unwrap_or_default().to_owned();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let name = of(line);
        let base = name.trim_end_matches("_sum").trim_end_matches("_count");
        assert!(described.contains(name.as_str()) || described.contains(base), "{name} is not described");
    }
}

/// The names in the calls that record, in all sources of the daemon.
fn recorded(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            recorded(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            for call in ["counter!(\"", "gauge!(\"", "histogram!(\""] {
                found.extend(text.split(call).skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
            }
        }
    }
}

#[test]
fn the_table_has_every_metric_that_is_recorded_and_no_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = BTreeSet::new();
    recorded(&root.join("src"), &mut found);
    recorded(&root.join("store/src"), &mut found);
    let named: BTreeSet<String> = METRICS.iter().map(|metric| metric.name.to_owned()).collect();
    assert_eq!(found, named);
}
