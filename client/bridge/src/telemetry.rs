//! What the bridge tells of itself: logs and metrics.

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{Format, Log};

/// Requests that were answered.
pub const REQUESTS: &str = "muster_bridge_requests_total";
/// How long an answer took to begin.
pub const SECONDS: &str = "muster_bridge_request_seconds";
/// Connections that are open.
pub const CONNECTIONS: &str = "muster_bridge_connections";

/// Why nothing can be told.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// What should be logged makes no sense.
    #[error("cannot log by `{level}`")]
    Filter {
        /// The level or filter.
        level: String,
        /// What is wrong with it.
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    /// This process logs already.
    #[error("this process logs already")]
    Logs(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// This process measures already.
    #[error("this process measures already")]
    Metrics(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Starts logging to standard error, for the whole process.
///
/// # Errors
/// If the level makes no sense.
pub fn start_logs(log: &Log) -> Result<(), TelemetryError> {
    let level = log.level.clone();
    let filter = EnvFilter::try_new(&level).map_err(|source| TelemetryError::Filter { level, source })?;
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    let started = match log.format {
        Format::Text => builder.try_init(),
        Format::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(TelemetryError::Logs)
}

/// Starts measuring, for the whole process.
///
/// # Errors
/// If it was started already.
pub fn start_metrics() -> Result<PrometheusHandle, TelemetryError> {
    let handle = PrometheusBuilder::new().install_recorder().map_err(|error| TelemetryError::Metrics(error.into()))?;
    describe_counter!(REQUESTS, "Requests that were answered, by route, method and status.");
    describe_histogram!(SECONDS, "From a request's head to the head of its answer, by route and method.");
    describe_gauge!(CONNECTIONS, "Connections that are open.");
    Ok(handle)
}

/// Notes one request.
pub fn note_request(method: &str, route: &str, status: u16, seconds: f64) {
    let labels = [("method", method.to_owned()), ("route", route.to_owned())];
    histogram!(SECONDS, &labels).record(seconds);
    let [method, route] = labels;
    counter!(REQUESTS, &[method, route, ("status", status.to_string())]).increment(1);
}
