//! What the daemon tells of itself: logs, and metrics that somebody may ask for.

use std::io::IsTerminal;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::config::{Format, Log};

/// Goes before `log.level`.
pub const LOG_VARIABLE: &str = "MUSTER_LOG";

/// Why nothing can be told.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// What should be logged makes no sense.
    #[error("cannot log by `{level}`: {reason}; use for example `info` or `info,musterd=debug`")]
    Filter {
        /// The level or filter.
        level: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Somebody else in this process did it already.
    #[error("this process logs or measures already: {0}")]
    Taken(String),
}

/// Starts logging to standard error, for the whole process.
pub fn start_logs(log: &Log) -> Result<(), TelemetryError> {
    let level = std::env::var(LOG_VARIABLE).ok().filter(|level| !level.is_empty());
    let level = level.unwrap_or_else(|| log.level.clone());
    let filter =
        EnvFilter::try_new(&level).map_err(|error| TelemetryError::Filter { level, reason: error.to_string() })?;
    let is_for_people = std::io::stderr().is_terminal();
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(is_for_people);
    let started = match log.format {
        Format::Text => builder.try_init(),
        Format::Json => builder.json().flatten_event(true).try_init(),
        Format::Journal => builder.without_time().with_ansi(false).try_init(),
    };
    started.map_err(|error| TelemetryError::Taken(error.to_string()))
}

/// Starts recording metrics, for the whole process. The handle shows them; nothing listens.
pub fn start_metrics() -> Result<PrometheusHandle, TelemetryError> {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(|error| TelemetryError::Taken(error.to_string()))?;
    describe();
    Ok(handle)
}

fn describe() {
    use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
    describe_counter!("muster_requests_total", "Requests, by operation and how they ended.");
    describe_histogram!("muster_request_seconds", Unit::Seconds, "From a request to its last word, by operation.");
    describe_gauge!("muster_sessions", "Connections that are open.");
    describe_counter!("muster_connections_refused_total", "Connections that were one too many.");
    describe_counter!("muster_handshakes_failed_total", "Connections that did not say hello as they should.");
    describe_counter!(
        "muster_protocol_errors_total",
        "Connections that were closed because the client broke the protocol."
    );
    describe_counter!("muster_accept_errors_total", "Connections that the system could not hand over.");
    describe_counter!("muster_steps_total", "Steps of plans, by how they ended.");
    describe_counter!("muster_supervisor_failures_total", "Supervisors that failed and were started again.");
    describe_gauge!("muster_clusters", "Clusters, by phase.");
    describe_counter!("muster_exports_total", "Exports of the store, by how they ended.");
    describe_counter!("muster_leftovers_total", "Resources of clusters that are gone, by what became of them.");
}
