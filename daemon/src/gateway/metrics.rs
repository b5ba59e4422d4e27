//! metrics: the daemon's metrics, in the text form of Prometheus.

use muster_protocol::{Error, ErrorCode, Response};

use crate::app::App;

/// The metrics of the process.
pub fn metrics(app: &App) -> Result<Response, Error> {
    let metrics = app.metrics.as_ref();
    let metrics = metrics.ok_or_else(|| Error::new(ErrorCode::Unsupported, "this daemon records no metrics"))?;
    Ok(Response::Text(metrics.render()))
}
