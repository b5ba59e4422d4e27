//! What the daemon tells of itself: logs, and metrics that somebody may ask for.

pub mod metrics;

use std::io::IsTerminal;

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
    // A line that cannot be written is lost: to complain on the same standard error would panic.
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr).log_internal_errors(false);
    let builder = builder.with_ansi(is_for_people);
    let started = match log.format {
        Format::Text => builder.try_init(),
        Format::Json => builder.json().flatten_event(true).try_init(),
        Format::Journal => builder.without_time().with_ansi(false).try_init(),
    };
    started.map_err(|error| TelemetryError::Taken(error.to_string()))
}
