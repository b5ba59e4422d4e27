//! Calls about hosts, the machines of clusters.

use muster_protocol::model::host::HostInfo;
use muster_protocol::request::{Page, PageRequest};
use muster_protocol::{MachineId, Name, Request, Response};

use crate::{Client, ClientError, ItemStream};

impl Client {
    /// One machine.
    pub async fn host_info(&self, id: MachineId) -> Result<HostInfo, ClientError> {
        match self.request(Request::HostInfo { id }).await? {
            Response::Host(info) => Ok(*info),
            other => Err(ClientError::unexpected("a host", &other)),
        }
    }

    /// One page of the machines of one cluster, or of all.
    pub async fn host_list(&self, cluster: Option<&Name>, page: PageRequest) -> Result<Page<HostInfo>, ClientError> {
        match self.request(Request::HostList { cluster: cluster.cloned(), page }).await? {
            Response::Hosts(page) => Ok(page),
            other => Err(ClientError::unexpected("hosts", &other)),
        }
    }

    /// All machines of one cluster, or of all, page after page as they are taken.
    pub fn hosts(&self, cluster: Option<&Name>) -> ItemStream<HostInfo> {
        let cluster = cluster.cloned();
        self.all_pages(move |client, page| {
            let cluster = cluster.clone();
            async move { client.host_list(cluster.as_ref(), page).await }
        })
    }
}
