//! Opens a stream from or to a service. Dropping the stream ends the one behind it.

use muster_protocol::{Error, ErrorCode, Name};

use crate::app::App;
use crate::cluster::message::{Opened, StreamRequest, SupervisorMessage};
use crate::gateway::ask;

/// Refuses a service that is not there.
pub fn must_exist(app: &App, cluster: &Name, service: &Name) -> Result<(), Error> {
    let found = app.provisioner.shared.board.cluster(cluster)?;
    match found.state.services.get(service) {
        Some(record) if !record.absent => Ok(()),
        Some(_) | None => Err(Error::not_found("service", service)),
    }
}

/// Has the cluster's handler open the stream.
pub async fn open(app: &App, cluster: &Name, request: StreamRequest) -> Result<Opened, Error> {
    ask::for_answer(app, cluster, |reply| SupervisorMessage::Open(request, reply)).await
}

/// The answer to a handler that opened another kind of stream than it was asked for.
pub fn other_stream() -> Error {
    Error::new(ErrorCode::Internal, "the handler opened a stream of another kind")
}
