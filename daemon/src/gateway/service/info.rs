//! getContainerServiceInfo: one service.

use muster_engine::view;
use muster_protocol::{Error, Name, Response};

use crate::gateway::context::Context;

/// One service.
pub fn info(context: &Context, cluster: &Name, service: &Name) -> Result<Response, Error> {
    let pinned = context.provisioner.shared.board.cluster(cluster)?;
    let info = view::service(&pinned.state, service);
    info.map(|info| Response::Service(Box::new(info))).ok_or_else(|| Error::not_found("service", service))
}
