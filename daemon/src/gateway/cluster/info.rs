//! getOrchestratorInfo: everything about one cluster.

use muster_engine::plan::plan;
use muster_engine::view;
use muster_protocol::{Error, Name, Response};

use crate::gateway::context::Context;

/// One cluster.
pub fn info(context: &Context, cluster: &Name) -> Result<Response, Error> {
    let pinned = context.provisioner.shared.board.cluster(cluster)?;
    let info = match &pinned.plan {
        Some(plan) => view::cluster(&pinned.state, plan),
        None => view::cluster(&pinned.state, &plan(&pinned.state, context.now())),
    };
    Ok(Response::Cluster(Box::new(info)))
}
