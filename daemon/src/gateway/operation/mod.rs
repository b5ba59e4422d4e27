//! Operations on operations.

pub mod cancel;
pub mod read;
pub mod watch;

use muster_protocol::model::operation::OperationInfo;
use muster_protocol::{Error, OperationId};

use super::roles::Caller;
use crate::app::App;

/// The operation, if the caller may see it: one on another cluster is as one that is not there.
fn found(app: &App, caller: &Caller, id: OperationId) -> Result<OperationInfo, Error> {
    let operation = app.provisioner.shared.board.operation(id)?;
    if caller.sees(&operation.cluster) { Ok(operation) } else { Err(Error::not_found("operation", id)) }
}
