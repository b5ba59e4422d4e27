//! Reads of services.
//!
//! - getContainerServiceInfo: one service.
//! - getOrchestratorsServiceInfo: the services of one cluster or of all.

use muster_engine::view;
use muster_protocol::page::PageRequest;
use muster_protocol::{Error, Name, Response};

use crate::app::App;
use crate::gateway::paging;
use crate::gateway::roles::Caller;

/// One service.
pub fn info(app: &App, cluster: &Name, service: &Name) -> Result<Response, Error> {
    let pinned = app.provisioner.shared.board.cluster(cluster)?;
    let info = view::service(&pinned.state, service);
    info.map(|info| Response::Service(Box::new(info))).ok_or_else(|| Error::not_found("service", service))
}

/// A page of services, by cluster and name.
pub fn list(app: &App, caller: &Caller, cluster: Option<&Name>, request: &PageRequest) -> Result<Response, Error> {
    let board = &app.provisioner.shared.board;
    let page = paging::page_of_clusters(board, caller, cluster, request, view::services, |service| {
        (service.cluster.clone(), service.cluster_id, service.spec.name.clone())
    })?;
    Ok(Response::Services(page))
}
