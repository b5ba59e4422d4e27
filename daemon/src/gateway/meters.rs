//! How the requests of a session went, for the metrics.
//!
//! To find a metric by its labels costs more than most reads do, so each is looked up once for a session.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use metrics::{Counter, Histogram};
use muster_protocol::ErrorCode;

/// The metrics that one session has used, by operation and result.
#[derive(Default)]
pub struct Meters(Mutex<HashMap<(&'static str, &'static str), Meter>>);

struct Meter {
    requests: Counter,
    seconds: Histogram,
}

impl Meters {
    /// Notes how a request went, and how long it took.
    pub fn note(&self, operation: &'static str, took: Duration, outcome: Result<(), ErrorCode>) {
        let result = outcome.err().map_or("ok", ErrorCode::as_str);
        let mut meters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let meter = meters.entry((operation, result)).or_insert_with(|| Meter {
            requests: metrics::counter!("muster_requests_total", "operation" => operation, "result" => result),
            seconds: metrics::histogram!("muster_request_seconds", "operation" => operation),
        });
        meter.requests.increment(1);
        meter.seconds.record(took.as_secs_f64());
    }
}
