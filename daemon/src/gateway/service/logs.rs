//! getOrchestratorServiceLogs: a service's output, as a stream.

use futures::StreamExt;
use muster_protocol::{Error, Name, StreamItem};

use super::open::{must_exist, open, other_stream};
use crate::app::App;
use crate::cluster::message::{LogRequest, Opened, StreamRequest};
use crate::gateway::reply::Items;
use crate::provisioner::as_error;

/// The lines of a service.
pub async fn logs(app: &App, cluster: &Name, service: Name, follow: bool, tail: Option<u32>) -> Result<Items, Error> {
    must_exist(app, cluster, &service)?;
    match open(app, cluster, StreamRequest::Logs(LogRequest { service, follow, tail })).await? {
        Opened::Lines(lines) => Ok(lines.map(|line| line.map(StreamItem::Log).map_err(as_error)).boxed()),
        Opened::Duplex(_) => Err(other_stream()),
    }
}
