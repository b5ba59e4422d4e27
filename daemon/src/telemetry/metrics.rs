//! The metrics that the daemon records, all in one table.

use metrics::{describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use super::TelemetryError;

/// What kind of number it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// As it is now.
    Gauge,
    /// How single values are spread, as quantiles with their sum and count.
    Summary,
}

/// One metric.
pub struct Metric {
    /// Its name; the unit is the end of it.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// Its labels with what they may be.
    pub labels: &'static str,
    /// What it says.
    pub meaning: &'static str,
}

const fn metric(name: &'static str, kind: Kind, labels: &'static str, meaning: &'static str) -> Metric {
    Metric { name, kind, labels, meaning }
}

/// All of them.
pub const METRICS: &[Metric] = &[
    metric(
        "muster_requests_total",
        Kind::Counter,
        "`operation`, as `createOrchestrator`; `result`: `ok` or an error's code",
        "Requests that have ended.",
    ),
    metric("muster_request_seconds", Kind::Summary, "`operation`", "From a request to its last word."),
    metric("muster_sessions", Kind::Gauge, "", "Connections that are open."),
    metric("muster_connections_refused_total", Kind::Counter, "", "Connections that were one too many."),
    metric("muster_handshakes_failed_total", Kind::Counter, "", "Connections that did not say hello as they should."),
    metric(
        "muster_protocol_errors_total",
        Kind::Counter,
        "",
        "Connections closed because the client broke the protocol.",
    ),
    metric("muster_accept_errors_total", Kind::Counter, "", "Connections that the system could not hand over."),
    metric("muster_clusters", Kind::Gauge, "`phase`", "Clusters."),
    metric("muster_steps_total", Kind::Counter, "`result`: `done` or `failed`", "Steps of plans that have ended."),
    metric("muster_supervisor_failures_total", Kind::Counter, "", "Supervisors that failed and were started again."),
    metric(
        "muster_leftovers_total",
        Kind::Counter,
        "`result`: `found`, `removed`, `failed`",
        "Resources of clusters that are gone.",
    ),
    metric("muster_exports_total", Kind::Counter, "`result`: `done` or `failed`", "Exports of the store."),
    metric(
        "muster_store_batches_total",
        Kind::Counter,
        "",
        "Batches that are on disk: changes with all that belongs to them.",
    ),
    metric("muster_store_groups_total", Kind::Counter, "", "Groups of batches that were written with one fsync."),
    metric("muster_store_group_batches", Kind::Summary, "", "Batches of a group."),
    metric("muster_store_commit_seconds", Kind::Summary, "", "From handing a batch in to its being on disk."),
    metric("muster_store_queue", Kind::Gauge, "", "Batches that wait to be written."),
];

/// Starts recording metrics, for the whole process. The handle shows them; nothing listens.
pub fn start() -> Result<PrometheusHandle, TelemetryError> {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(|error| TelemetryError::Taken(error.to_string()))?;
    for Metric { name, kind, meaning, .. } in METRICS {
        match kind {
            Kind::Counter => describe_counter!(*name, *meaning),
            Kind::Gauge => describe_gauge!(*name, *meaning),
            Kind::Summary => describe_histogram!(*name, *meaning),
        }
    }
    Ok(handle)
}

/// The page for users.
pub fn page() -> String {
    let mut page = String::from(PAGE_HEAD);
    for Metric { name, kind, labels, meaning } in METRICS {
        let kind = format!("{kind:?}").to_lowercase();
        page.push_str(&format!("| `{name}` | {kind} | {labels} | {meaning} |\n"));
    }
    page
}

const PAGE_HEAD: &str = "# Metrics

What `musterd` records, in Prometheus' words. The [HTTP bridge](../bridge.md) shows it under `/metrics`, with its own; over the socket the request
`metrics` answers it, for whoever may look.

This page is made from the code (`daemon/src/telemetry/metrics.rs`); a test sees that it is current.

| metric | kind | labels | meaning |
|---|---|---|---|
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::assert_current;

    #[test]
    fn the_page_for_users_is_current() {
        assert_current("docs/reference/metrics.md", &page());
    }
}
