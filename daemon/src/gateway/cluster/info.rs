//! getOrchestratorInfo: everything about one cluster.

use muster_engine::view;
use muster_protocol::{Error, Name, Response};

use crate::gateway::context::Context;

/// One cluster.
pub fn info(context: &Context, cluster: &Name) -> Result<Response, Error> {
    let pinned = context.provisioner.shared.board.cluster(cluster)?;
    Ok(Response::Cluster(Box::new(view::cluster(&pinned.state, &pinned.plan))))
}
