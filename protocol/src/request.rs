//! What can be asked: the Common Gateway API. One variant an operation.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::account::AccountSpec;
use crate::model::cluster::ClusterSpec;
use crate::model::plan::PlanChange;
use crate::model::service::ServiceSpec;
use crate::page::PageRequest;
use crate::{MachineId, Name, OperationId, SecretString};

/// Makes a change safe to ask for twice: the same key with the same request is answered with the operation of the
/// first time; with another request it is refused with `idempotency-mismatch`. 1 to 64 printable ASCII characters,
/// remembered for a day.
pub type IdempotencyKey = String;

/// One request. Those that change a cluster or its services are answered with
/// [`Response::Operation`](crate::Response::Operation) once the wish is on disk, and carry an optional [`IdempotencyKey`].
/// Three changes are done when they are answered, and the same if they are asked for twice, so they have no key:
/// [`Request::AccountAdd`], [`Request::AccountRemove`] and [`Request::OperationCancel`] (docs/adr/010).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are said by their names and types")]
pub enum Request {
    /// createOrchestrator: create a cluster.
    ClusterCreate { spec: ClusterSpec, idempotency_key: Option<IdempotencyKey> },
    /// deleteOrchestrator: remove a cluster with all it has.
    ClusterDelete { cluster: Name, idempotency_key: Option<IdempotencyKey> },
    /// getOrchestratorInfo: everything about one cluster.
    ClusterInfo { cluster: Name },
    /// All clusters, by name, a page at a time.
    ClusterList { page: PageRequest },
    /// What would be done for a change, without doing it.
    ClusterPlan { change: PlanChange },
    /// Change the numbers of machines.
    ClusterScale {
        cluster: Name,
        control_planes: Option<u32>,
        workers: Option<u32>,
        idempotency_key: Option<IdempotencyKey>,
    },
    /// Try again now whatever failed and waits.
    ClusterRetry { cluster: Name, idempotency_key: Option<IdempotencyKey> },
    /// createOrchestratorService: deploy one service, or the services of a template.
    ServiceCreate { cluster: Name, source: ServiceSource, idempotency_key: Option<IdempotencyKey> },
    /// deleteOrchestratorService: remove a service.
    ServiceDelete { cluster: Name, service: Name, idempotency_key: Option<IdempotencyKey> },
    /// getContainerServiceInfo: one service.
    ServiceInfo { cluster: Name, service: Name },
    /// getOrchestratorsServiceInfo: the services of one cluster or of all, by cluster and name.
    ServiceList { cluster: Option<Name>, page: PageRequest },
    /// Replace what is asked for of a service. With the generation that the new spec was made of, it is refused with
    /// `conflict` if somebody else changed the service since.
    ServiceUpdate {
        cluster: Name,
        spec: Box<ServiceSpec>,
        expected_generation: Option<u64>,
        idempotency_key: Option<IdempotencyKey>,
    },
    /// Change the number of copies.
    ServiceScale { cluster: Name, service: Name, replicas: u32, idempotency_key: Option<IdempotencyKey> },
    /// The output of a service: a stream of [`StreamItem::Log`](crate::StreamItem::Log). Of what was written before, the last
    /// `tail` lines of each container, or all; and new ones as they come, if `follow`.
    ServiceLogs { cluster: Name, service: Name, follow: bool, tail: Option<u32> },
    /// getHostInfoById: one machine.
    HostInfo { id: MachineId },
    /// The machines of one cluster or of all, by cluster; control planes first, then by number.
    HostList { cluster: Option<Name>, page: PageRequest },
    /// getContainerInfo: one container.
    ContainerInfo { id: String },
    /// The containers of one cluster or of all, of one service or of all.
    ContainerList { cluster: Option<Name>, service: Option<Name>, page: PageRequest },
    /// Every template of the catalog.
    CatalogList,
    /// getCatalogTemplateData: one template.
    CatalogShow { template: Name },
    /// One operation.
    OperationInfo { id: OperationId },
    /// Operations, newest first.
    OperationList { cluster: Option<Name>, page: PageRequest },
    /// An operation now and at each change until it ends: a stream of
    /// [`StreamItem::Operation`](crate::StreamItem::Operation).
    OperationWatch { id: OperationId },
    /// End an operation; what was asked for before it is restored.
    OperationCancel { id: OperationId },
    /// Events behind a cursor: a stream of [`StreamItem::Event`](crate::StreamItem::Event), which goes on with new ones if
    /// `follow`.
    Events { since: Option<u64>, cluster: Option<Name>, follow: bool },
    /// Add or replace an account. Answered with [`Response::Account`](crate::Response::Account).
    AccountAdd { spec: AccountSpec },
    /// Ask the infrastructure with an account, or with the default one of an infrastructure.
    AccountCheck { account: Name },
    /// All accounts.
    AccountList,
    /// Remove an account that no cluster uses.
    AccountRemove { account: Name },
    /// Look at everything that Muster needs.
    Doctor,
    /// Who the caller is, and who the daemon is.
    Whoami,
}

/// Where the services to create come from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ServiceSource {
    /// One service, spelt out.
    Spec(Box<ServiceSpec>),
    /// The services of a template.
    Template {
        /// The template.
        template: Name,
        /// The first service's name and the others' prefix; the template's name if left out.
        name: Option<Name>,
        /// Parameters by name. Secret, because some are.
        values: BTreeMap<String, SecretString>,
    },
}

/// What a caller must be allowed to do for a request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Access {
    /// Nothing but to reach the socket: who has no role must be able to learn that.
    Connect,
    /// Look.
    View,
    /// Create, change and remove clusters and services.
    Operate,
    /// Handle credentials.
    Administer,
}

impl Request {
    /// The operation's name: the paper's, where it has one. REST uses it as `operationId`.
    pub const fn operation_id(&self) -> &'static str {
        match self {
            Self::ClusterCreate { .. } => "createOrchestrator",
            Self::ClusterDelete { .. } => "deleteOrchestrator",
            Self::ClusterInfo { .. } => "getOrchestratorInfo",
            Self::ClusterList { .. } => "listOrchestrators",
            Self::ClusterPlan { .. } => "planOrchestrator",
            Self::ClusterScale { .. } => "scaleOrchestrator",
            Self::ClusterRetry { .. } => "retryOrchestrator",
            Self::ServiceCreate { .. } => "createOrchestratorService",
            Self::ServiceDelete { .. } => "deleteOrchestratorService",
            Self::ServiceInfo { .. } => "getContainerServiceInfo",
            Self::ServiceList { .. } => "getOrchestratorsServiceInfo",
            Self::ServiceUpdate { .. } => "updateOrchestratorService",
            Self::ServiceScale { .. } => "scaleOrchestratorService",
            Self::ServiceLogs { .. } => "getOrchestratorServiceLogs",
            Self::HostInfo { .. } => "getHostInfoById",
            Self::HostList { .. } => "listHosts",
            Self::ContainerInfo { .. } => "getContainerInfo",
            Self::ContainerList { .. } => "listContainers",
            Self::CatalogList => "listCatalogTemplates",
            Self::CatalogShow { .. } => "getCatalogTemplateData",
            Self::OperationInfo { .. } => "getOperation",
            Self::OperationList { .. } => "listOperations",
            Self::OperationWatch { .. } => "watchOperation",
            Self::OperationCancel { .. } => "cancelOperation",
            Self::Events { .. } => "listEvents",
            Self::AccountAdd { .. } => "addAccount",
            Self::AccountCheck { .. } => "checkAccount",
            Self::AccountList => "listAccounts",
            Self::AccountRemove { .. } => "removeAccount",
            Self::Doctor => "doctor",
            Self::Whoami => "whoami",
        }
    }

    /// What the caller must be allowed to do.
    pub const fn access(&self) -> Access {
        match self {
            Self::Whoami => Access::Connect,
            Self::ClusterInfo { .. }
            | Self::ClusterList { .. }
            | Self::ClusterPlan { .. }
            | Self::ServiceInfo { .. }
            | Self::ServiceList { .. }
            | Self::ServiceLogs { .. }
            | Self::HostInfo { .. }
            | Self::HostList { .. }
            | Self::ContainerInfo { .. }
            | Self::ContainerList { .. }
            | Self::CatalogList
            | Self::CatalogShow { .. }
            | Self::OperationInfo { .. }
            | Self::OperationList { .. }
            | Self::OperationWatch { .. }
            | Self::Events { .. }
            | Self::AccountList
            | Self::Doctor => Access::View,
            Self::ClusterCreate { .. }
            | Self::ClusterDelete { .. }
            | Self::ClusterScale { .. }
            | Self::ClusterRetry { .. }
            | Self::ServiceCreate { .. }
            | Self::ServiceDelete { .. }
            | Self::ServiceUpdate { .. }
            | Self::ServiceScale { .. }
            | Self::OperationCancel { .. }
            | Self::AccountCheck { .. } => Access::Operate,
            Self::AccountAdd { .. } | Self::AccountRemove { .. } => Access::Administer,
        }
    }

    /// Where its idempotency key goes, if it is a change that can have one.
    pub fn idempotency_key_mut(&mut self) -> Option<&mut Option<IdempotencyKey>> {
        match self {
            Self::ClusterCreate { idempotency_key, .. }
            | Self::ClusterDelete { idempotency_key, .. }
            | Self::ClusterScale { idempotency_key, .. }
            | Self::ClusterRetry { idempotency_key, .. }
            | Self::ServiceCreate { idempotency_key, .. }
            | Self::ServiceDelete { idempotency_key, .. }
            | Self::ServiceUpdate { idempotency_key, .. }
            | Self::ServiceScale { idempotency_key, .. } => Some(idempotency_key),
            Self::ClusterInfo { .. }
            | Self::ClusterList { .. }
            | Self::ClusterPlan { .. }
            | Self::ServiceInfo { .. }
            | Self::ServiceList { .. }
            | Self::ServiceLogs { .. }
            | Self::HostInfo { .. }
            | Self::HostList { .. }
            | Self::ContainerInfo { .. }
            | Self::ContainerList { .. }
            | Self::CatalogList
            | Self::CatalogShow { .. }
            | Self::OperationInfo { .. }
            | Self::OperationList { .. }
            | Self::OperationWatch { .. }
            | Self::OperationCancel { .. }
            | Self::Events { .. }
            | Self::AccountAdd { .. }
            | Self::AccountCheck { .. }
            | Self::AccountList
            | Self::AccountRemove { .. }
            | Self::Doctor
            | Self::Whoami => None,
        }
    }

    /// Where its expected generation goes, if it can have one: a condition, and no part of what is asked for.
    pub fn expected_generation_mut(&mut self) -> Option<&mut Option<u64>> {
        let Self::ServiceUpdate { expected_generation, .. } = self else { return None };
        Some(expected_generation)
    }

    /// Whether it is answered with a stream.
    pub const fn is_stream(&self) -> bool {
        matches!(self, Self::ServiceLogs { .. } | Self::OperationWatch { .. } | Self::Events { .. })
    }
}
