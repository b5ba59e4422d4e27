//! Calls about hosts, the machines of clusters.

use muster_protocol::model::host::HostInfo;
use muster_protocol::page::{Page, PageRequest};
use muster_protocol::{MachineId, Name, Request, Response};

use crate::{Client, ClientError, ItemStream};

impl Client {
    /// One machine.
    pub async fn host_info(&self, id: MachineId) -> Result<HostInfo, ClientError> {
        let Response::Host(info) = self.request(Request::HostInfo { id }).await? else {
            return Err(ClientError::unexpected("a host"));
        };
        Ok(*info)
    }

    /// One page of the machines of one cluster, or of all.
    pub async fn host_list(&self, cluster: Option<&Name>, page: PageRequest) -> Result<Page<HostInfo>, ClientError> {
        let Response::Hosts(page) = self.request(Request::HostList { cluster: cluster.cloned(), page }).await? else {
            return Err(ClientError::unexpected("hosts"));
        };
        Ok(page)
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
