//! Reads of clusters.
//!
//! - getOrchestratorInfo: everything about one cluster.
//! - listOrchestrators: all clusters, by name.

use muster_engine::plan::plan;
use muster_engine::view;
use muster_protocol::page::PageRequest;
use muster_protocol::{Error, Name, Response};

use crate::app::App;
use crate::gateway::paging;
use crate::gateway::roles::Caller;

/// One cluster.
pub fn info(app: &App, cluster: &Name) -> Result<Response, Error> {
    let pinned = app.provisioner.shared.board.cluster(cluster)?;
    let info = match &pinned.plan {
        Some(plan) => view::cluster(&pinned.state, plan),
        None => view::cluster(&pinned.state, &plan(&pinned.state, app.now())),
    };
    Ok(Response::Cluster(Box::new(info)))
}

/// A page of clusters that the caller may see.
pub fn list(app: &App, caller: &Caller, request: &PageRequest) -> Result<Response, Error> {
    let (limit, after) = (paging::limit(request), paging::place(request)?);
    let states = app.provisioner.shared.board.page(after.as_ref(), limit + 1, |name| caller.sees(name));
    let summaries = states.iter().map(|state| view::summary(state));
    Ok(Response::Clusters(paging::page(summaries, limit, |summary| (summary.name.clone(), summary.id))?))
}
