//! Calls about clusters.

use std::time::Duration;

use muster_protocol::model::access::{AccessFile, AccessKind};
use muster_protocol::model::cluster::{ClusterInfo, ClusterSpec, ClusterSummary};
use muster_protocol::model::operation::OperationInfo;
use muster_protocol::model::plan::{Plan, PlanChange};
use muster_protocol::model::token::AccessRole;
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
    /// Brings the machines to another version of the orchestrator, or to the recipe of the daemon's release.
    pub async fn cluster_upgrade(
        &self,
        cluster: &Name,
        version: Option<String>,
        key: Option<IdempotencyKey>,
    ) -> Result<OperationInfo, ClientError> {
        self.change(Request::ClusterUpgrade { cluster: cluster.clone(), version, idempotency_key: key }).await
    }

    /// Gives the machines new certificates.
    pub async fn cluster_renew(
        &self,
        cluster: &Name,
        key: Option<IdempotencyKey>,
    ) -> Result<OperationInfo, ClientError> {
        self.change(Request::ClusterRenew { cluster: cluster.clone(), idempotency_key: key }).await
    }

    /// A file with which the caller's own tool reaches the cluster, with a new certificate. `None` takes the orchestrator's
    /// own tool, the caller's role, and a day.
    pub async fn cluster_access(
        &self,
        cluster: &Name,
        kind: Option<AccessKind>,
        role: Option<AccessRole>,
        valid_for: Option<Duration>,
    ) -> Result<AccessFile, ClientError> {
        let (cluster, valid_seconds) = (cluster.clone(), valid_for.map(|lifetime| lifetime.as_secs()));
        let request = Request::ClusterAccess { cluster, kind, role, valid_seconds };
        let Response::Access(file) = self.request(request).await? else {
            return Err(ClientError::unexpected("a file"));
        };
        Ok(*file)
    }
}
