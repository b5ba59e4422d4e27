//! Calls about services.

use futures::StreamExt;
use muster_protocol::model::operation::OperationInfo;
use muster_protocol::model::service::{LogLine, ServiceInfo, ServiceSpec};
use muster_protocol::page::{Page, PageRequest};
use muster_protocol::request::{IdempotencyKey, ServiceSource};
use muster_protocol::{Name, Request, Response, StreamItem};

use crate::{Client, ClientError, ItemStream};

impl Client {
    /// Deploys one service, or the services of a template. Returns once the wish is on disk.
    pub async fn service_create(
        &self,
        cluster: &Name,
        source: ServiceSource,
        key: Option<IdempotencyKey>,
    ) -> Result<OperationInfo, ClientError> {
        self.change(Request::ServiceCreate { cluster: cluster.clone(), source, idempotency_key: key }).await
    }

    /// Removes a service.
    pub async fn service_delete(
        &self,
        cluster: &Name,
        service: &Name,
        key: Option<IdempotencyKey>,
    ) -> Result<OperationInfo, ClientError> {
        let (cluster, service) = (cluster.clone(), service.clone());
        self.change(Request::ServiceDelete { cluster, service, idempotency_key: key }).await
    }

    /// One service.
    pub async fn service_info(&self, cluster: &Name, service: &Name) -> Result<ServiceInfo, ClientError> {
        let (cluster, service) = (cluster.clone(), service.clone());
        let Response::Service(info) = self.request(Request::ServiceInfo { cluster, service }).await? else {
            return Err(ClientError::unexpected("a service"));
        };
        Ok(*info)
    }

    /// One page of the services of one cluster, or of all.
    pub async fn service_list(
        &self,
        cluster: Option<&Name>,
        page: PageRequest,
    ) -> Result<Page<ServiceInfo>, ClientError> {
        let Response::Services(page) = self.request(Request::ServiceList { cluster: cluster.cloned(), page }).await?
        else {
            return Err(ClientError::unexpected("services"));
        };
        Ok(page)
    }

    /// All services of one cluster, or of all, page after page as they are taken.
    pub fn services(&self, cluster: Option<&Name>) -> ItemStream<ServiceInfo> {
        let cluster = cluster.cloned();
        self.all_pages(move |client, page| {
            let cluster = cluster.clone();
            async move { client.service_list(cluster.as_ref(), page).await }
        })
    }

    /// Replaces what is asked for of a service. With the generation that the spec was made of, a service that somebody else
    /// changed since is left as it is, and the answer is `conflict` with its present `generation` as a detail.
    pub async fn service_update(
        &self,
        cluster: &Name,
        spec: ServiceSpec,
        expected_generation: Option<u64>,
        key: Option<IdempotencyKey>,
    ) -> Result<OperationInfo, ClientError> {
        let (cluster, spec) = (cluster.clone(), Box::new(spec));
        self.change(Request::ServiceUpdate { cluster, spec, expected_generation, idempotency_key: key }).await
    }

    /// Changes the number of copies.
    pub async fn service_scale(
        &self,
        cluster: &Name,
        service: &Name,
        replicas: u32,
        key: Option<IdempotencyKey>,
    ) -> Result<OperationInfo, ClientError> {
        let (cluster, service) = (cluster.clone(), service.clone());
        self.change(Request::ServiceScale { cluster, service, replicas, idempotency_key: key }).await
    }

    /// Submits a service once more, with what its image's tag means by now.
    pub async fn service_refresh(
        &self,
        cluster: &Name,
        service: &Name,
        key: Option<IdempotencyKey>,
    ) -> Result<OperationInfo, ClientError> {
        let (cluster, service) = (cluster.clone(), service.clone());
        self.change(Request::ServiceRefresh { cluster, service, idempotency_key: key }).await
    }

    /// The output of a service: the last `tail` lines of each container (all if `None`), then new ones if `follow`.
    ///
    /// Lines have no number, so once the first has come a lost connection cannot be made good without gap or repeat:
    /// the stream then ends with [`ClientError::Lost`].
    pub fn service_logs(&self, cluster: &Name, service: &Name, follow: bool, tail: Option<u32>) -> ItemStream<LogLine> {
        let (cluster, service) = (cluster.clone(), service.clone());
        let items = self.stream(Request::ServiceLogs { cluster, service, follow, tail });
        items
            .map(|item| match item? {
                StreamItem::Log(line) => Ok(line),
                StreamItem::Operation(_) | StreamItem::Event(_) | StreamItem::Exec(_) | StreamItem::Bytes(_) => {
                    Err(ClientError::unexpected("a log line"))
                }
            })
            .boxed()
    }
}
