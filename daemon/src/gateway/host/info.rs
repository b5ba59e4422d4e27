//! getHostInfoById: one machine.

use muster_engine::view;
use muster_protocol::{Error, MachineId, Response};

use crate::gateway::context::Context;

/// One machine.
pub fn info(context: &Context, id: MachineId) -> Result<Response, Error> {
    // An id does not tell its cluster, and machines are few thousands at most: looking costs less than an index.
    let clusters = context.provisioner.shared.board.all();
    let found = clusters.iter().find_map(|pinned| view::hosts(&pinned.state).into_iter().find(|host| host.id == id));
    found.map(|host| Response::Host(Box::new(host))).ok_or_else(|| Error::not_found("host", id))
}
