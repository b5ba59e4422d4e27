//! Calls about clusters.

use muster_protocol::model::cluster::{ClusterInfo, ClusterSpec, ClusterSummary};
use muster_protocol::model::operation::OperationInfo;
use muster_protocol::model::plan::{Plan, PlanChange};
use muster_protocol::page::{Page, PageRequest};
use muster_protocol::request::IdempotencyKey;
use muster_protocol::{Name, Request, Response};

use crate::{Client, ClientError, ItemStream};

impl Client {
    /// Creates a cluster. Returns once the wish is on disk; [`Client::wait`] waits for the cluster.
    pub async fn cluster_create(
        &self,
        spec: ClusterSpec,
        key: Option<IdempotencyKey>,
    ) -> Result<OperationInfo, ClientError> {
        self.change(Request::ClusterCreate { spec, idempotency_key: key }).await
    }

    /// Removes a cluster with all it has.
    pub async fn cluster_delete(
        &self,
        cluster: &Name,
        key: Option<IdempotencyKey>,
    ) -> Result<OperationInfo, ClientError> {
        self.change(Request::ClusterDelete { cluster: cluster.clone(), idempotency_key: key }).await
    }

    /// Everything about one cluster.
    pub async fn cluster_info(&self, cluster: &Name) -> Result<ClusterInfo, ClientError> {
        let Response::Cluster(info) = self.request(Request::ClusterInfo { cluster: cluster.clone() }).await? else {
            return Err(ClientError::unexpected("a cluster"));
        };
        Ok(*info)
    }

    /// One page of the list of clusters.
    pub async fn cluster_list(&self, page: PageRequest) -> Result<Page<ClusterSummary>, ClientError> {
        let Response::Clusters(page) = self.request(Request::ClusterList { page }).await? else {
            return Err(ClientError::unexpected("clusters"));
        };
        Ok(page)
    }

    /// All clusters, page after page as they are taken.
    pub fn clusters(&self) -> ItemStream<ClusterSummary> {
        self.all_pages(|client, page| async move { client.cluster_list(page).await })
    }

    /// What would be done for a change, without doing it.
    pub async fn cluster_plan(&self, change: PlanChange) -> Result<Plan, ClientError> {
        let Response::Plan(plan) = self.request(Request::ClusterPlan { change }).await? else {
            return Err(ClientError::unexpected("a plan"));
        };
        Ok(plan)
    }

    /// Changes the numbers of machines; `None` leaves a number as it is.
    pub async fn cluster_scale(
        &self,
        cluster: &Name,
        control_planes: Option<u32>,
        workers: Option<u32>,
        key: Option<IdempotencyKey>,
    ) -> Result<OperationInfo, ClientError> {
        let cluster = cluster.clone();
        self.change(Request::ClusterScale { cluster, control_planes, workers, idempotency_key: key }).await
    }

    /// Tries again now whatever failed and waits.
    pub async fn cluster_retry(
        &self,
        cluster: &Name,
        key: Option<IdempotencyKey>,
    ) -> Result<OperationInfo, ClientError> {
        self.change(Request::ClusterRetry { cluster: cluster.clone(), idempotency_key: key }).await
    }
}
