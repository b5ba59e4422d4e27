//! Reads of machines.
//!
//! - getHostInfoById: one machine.
//! - listHosts: the machines of one cluster or of all.

use muster_engine::desired::role_and_number;
use muster_engine::view;
use muster_protocol::page::PageRequest;
use muster_protocol::{Error, MachineId, Name, Response};

use crate::app::App;
use crate::gateway::paging;
use crate::gateway::roles::Caller;

/// One machine.
pub fn info(app: &App, caller: &Caller, id: MachineId) -> Result<Response, Error> {
    // An id does not tell its cluster; to compare the ids of a hundred thousand machines costs less than an index.
    let clusters = app.provisioner.shared.board.all();
    let mut seen = clusters.iter().filter(|pinned| caller.sees(&pinned.state.desired().spec.name));
    let found = seen.find_map(|pinned| view::host_with_id(&pinned.state, id));
    found.map(|host| Response::Host(Box::new(host))).ok_or_else(|| Error::not_found("host", id))
}

/// A page of machines, by cluster; control planes first, then by number.
pub fn list(app: &App, caller: &Caller, cluster: Option<&Name>, request: &PageRequest) -> Result<Response, Error> {
    let board = &app.provisioner.shared.board;
    let page = paging::page_of_clusters(board, caller, cluster, request, view::hosts, |host| {
        let number = role_and_number(&host.name).map_or(0, |(_, number)| number);
        (host.cluster.clone(), host.cluster_id, (host.role, number))
    })?;
    Ok(Response::Hosts(page))
}
