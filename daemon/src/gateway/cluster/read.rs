//! Reads of clusters.
//!
//! - getOrchestratorInfo: everything about one cluster.
//! - listOrchestrators: all clusters, by name.

use muster_engine::plan::plan;
use muster_engine::view;
use muster_protocol::model::cluster::ClusterSummary;
use muster_protocol::page::PageRequest;
use muster_protocol::{Error, Name, Response};

use crate::app::App;
use crate::board::Pinned;
use crate::gateway::paging;
use crate::gateway::roles::Caller;

/// One cluster.
pub fn info(app: &App, cluster: &Name) -> Result<Response, Error> {
    let pinned = app.provisioner.shared.board.cluster(cluster)?;
    let mut info = match &pinned.plan {
        Some(plan) => view::cluster(&pinned.state, plan),
        None => view::cluster(&pinned.state, &plan(&pinned.state, app.now())),
    };
    if let Some(trouble) = pinned.trouble {
        info.summary.cause = Some(trouble.clone());
        info.causes.insert(0, trouble);
    }
    Ok(Response::Cluster(Box::new(info)))
}

/// A page of clusters that the caller may see.
pub fn list(app: &App, caller: &Caller, request: &PageRequest) -> Result<Response, Error> {
    let (limit, after) = (paging::limit(request), paging::place(request)?);
    let clusters = app.provisioner.shared.board.page(after.as_ref(), limit + 1, |name| caller.sees(name));
    Ok(Response::Clusters(paging::page(clusters.iter().map(summary), limit, |line| (line.name.clone(), line.id))?))
}

fn summary(pinned: &Pinned) -> ClusterSummary {
    // One whose supervisor is only starting is shown as it was left.
    let plan = pinned.plan.clone().unwrap_or_default();
    let summary = view::summary(&pinned.state, &plan);
    ClusterSummary { cause: pinned.trouble.clone().or(summary.cause), ..summary }
}
