//! Calls about containers, the running copies of services.

use muster_protocol::model::container::ContainerInfo;
use muster_protocol::page::{Page, PageRequest};
use muster_protocol::{Name, Request, Response};

use crate::{Client, ClientError, ItemStream};

impl Client {
    /// One container, by the orchestrator's id of it.
    pub async fn container_info(&self, id: &str) -> Result<ContainerInfo, ClientError> {
        let Response::Container(info) = self.request(Request::ContainerInfo { id: id.to_owned() }).await? else {
            return Err(ClientError::unexpected("a container"));
        };
        Ok(*info)
    }

    /// One page of the containers of one cluster or of all, of one service or of all.
    pub async fn container_list(
        &self,
        cluster: Option<&Name>,
        service: Option<&Name>,
        page: PageRequest,
    ) -> Result<Page<ContainerInfo>, ClientError> {
        let (cluster, service) = (cluster.cloned(), service.cloned());
        let Response::Containers(page) = self.request(Request::ContainerList { cluster, service, page }).await? else {
            return Err(ClientError::unexpected("containers"));
        };
        Ok(page)
    }

    /// All containers of one cluster or of all, of one service or of all, page after page as they are taken.
    pub fn containers(&self, cluster: Option<&Name>, service: Option<&Name>) -> ItemStream<ContainerInfo> {
        let (cluster, service) = (cluster.cloned(), service.cloned());
        self.all_pages(move |client, page| {
            let (cluster, service) = (cluster.clone(), service.clone());
            async move { client.container_list(cluster.as_ref(), service.as_ref(), page).await }
        })
    }
}
