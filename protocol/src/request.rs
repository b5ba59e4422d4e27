//! What can be asked: the Common Gateway API. One variant an operation.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::access::AccessKind;
use crate::model::account::AccountSpec;
use crate::model::cluster::ClusterSpec;
use crate::model::plan::PlanChange;
use crate::model::service::ServiceSpec;
use crate::model::token::AccessRole;
use crate::model::token::TokenSpec;
use crate::page::PageRequest;
use crate::{MachineId, Name, OperationId, Principal, SecretString, Timestamp};

/// Makes a change safe to ask for twice: the same key with the same request is answered with the operation of the
/// first time; with another request it is refused with `idempotency-mismatch`. 1 to 64 printable ASCII characters,
/// remembered for a day.
pub type IdempotencyKey = String;

/// One request. Those that change a cluster or its services are answered with
/// [`Response::Operation`](crate::Response::Operation) once the wish is on disk, and carry an optional [`IdempotencyKey`].
/// Changes of accounts and tokens and [`Request::OperationCancel`] are done when they are answered, so they have no key
/// (docs/adr/010).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
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
    /// Bring the cluster's machines to another version of the orchestrator, or to the recipe that this release offers.
    ClusterUpgrade { cluster: Name, version: Option<String>, idempotency_key: Option<IdempotencyKey> },
    /// Give the cluster's machines new certificates.
    ClusterRenew { cluster: Name, idempotency_key: Option<IdempotencyKey> },
    /// Run a command in a container of a service, in the one that is named or in any that runs: a stream of
    /// [`StreamItem::Exec`](crate::StreamItem::Exec), which takes input. With a terminal, if `tty`.
    ContainerExec { cluster: Name, service: Name, container: Option<String>, command: Vec<String>, tty: bool },
    /// Connect to a port of a service: a stream of [`StreamItem::Bytes`](crate::StreamItem::Bytes), which takes input.
    ServicePortForward { cluster: Name, service: Name, port: u16 },
    /// A file with which the caller's own tools reach the cluster, with a new certificate that ends after `valid_seconds`;
    /// for the orchestrator's own tool and with the caller's role, if nothing else is said.
    ClusterAccess { cluster: Name, kind: Option<AccessKind>, role: Option<AccessRole>, valid_seconds: Option<u64> },
    /// Records of the audit trail, newest first: since a time, of one principal, or all.
    AuditList { since: Option<Timestamp>, principal: Option<Principal>, page: PageRequest },
    /// Check the whole audit trail.
    AuditVerify,
    /// Make a token. Answered with [`Response::NewToken`](crate::Response::NewToken), which alone has it.
    TokenCreate { spec: TokenSpec },
    /// Tokens, by name, a page at a time; never the tokens themselves.
    TokenList { page: PageRequest },
    /// Take a token off the list: it grants nothing any more.
    TokenRevoke { token: Name },
    /// What a token grants, for a trusted user to whom somebody has shown it.
    TokenResolve { token: SecretString },
    /// The daemon's metrics, in the text form of Prometheus.
    Metrics,
    /// Submit a service once more, with what its image's tag means by now.
    ServiceRefresh { cluster: Name, service: Name, idempotency_key: Option<IdempotencyKey> },
}

/// Where the services to create come from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
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
pub enum RequiredRole {
    /// Nothing but to reach the socket: who has no role must be able to learn that.
    Connect,
    /// Speak for others, which no role gives: `[access] trusted` of the daemon's configuration does.
    Vouch,
    /// Look.
    View,
    /// Create, change and remove clusters and services.
    Operate,
    /// Handle credentials and tokens, and look at the audit trail.
    Administer,
}

/// In which form a request is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reply {
    /// With one answer.
    Answer,
    /// With a stream of items.
    Stream,
    /// With a stream that takes input from the client as well.
    Duplex,
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
            Self::ClusterUpgrade { .. } => "upgradeOrchestrator",
            Self::ClusterRenew { .. } => "renewOrchestrator",
            Self::ServiceCreate { .. } => "createOrchestratorService",
            Self::ServiceDelete { .. } => "deleteOrchestratorService",
            Self::ServiceInfo { .. } => "getContainerServiceInfo",
            Self::ServiceList { .. } => "getOrchestratorsServiceInfo",
            Self::ServiceUpdate { .. } => "updateOrchestratorService",
            Self::ServiceScale { .. } => "scaleOrchestratorService",
            Self::ServiceRefresh { .. } => "refreshOrchestratorService",
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
            Self::ContainerExec { .. } => "execInContainer",
            Self::ServicePortForward { .. } => "forwardServicePort",
            Self::ClusterAccess { .. } => "accessOrchestrator",
            Self::AuditList { .. } => "listAuditRecords",
            Self::AuditVerify => "verifyAuditTrail",
            Self::TokenCreate { .. } => "createToken",
            Self::TokenList { .. } => "listTokens",
            Self::TokenRevoke { .. } => "revokeToken",
            Self::TokenResolve { .. } => "resolveToken",
            Self::Metrics => "metrics",
        }
    }

    /// What the caller must be allowed to do.
    pub const fn required_role(&self) -> RequiredRole {
        match self {
            Self::Whoami => RequiredRole::Connect,
            Self::TokenResolve { .. } => RequiredRole::Vouch,
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
            | Self::Doctor
            | Self::Metrics => RequiredRole::View,
            Self::ClusterCreate { .. }
            | Self::ClusterDelete { .. }
            | Self::ClusterScale { .. }
            | Self::ClusterRetry { .. }
            | Self::ClusterUpgrade { .. }
            | Self::ClusterRenew { .. }
            | Self::ServiceCreate { .. }
            | Self::ServiceDelete { .. }
            | Self::ServiceUpdate { .. }
            | Self::ServiceScale { .. }
            | Self::ServiceRefresh { .. }
            | Self::OperationCancel { .. }
            | Self::AccountCheck { .. }
            | Self::ContainerExec { .. }
            | Self::ServicePortForward { .. }
            | Self::ClusterAccess { .. } => RequiredRole::Operate,
            Self::AccountAdd { .. }
            | Self::AccountRemove { .. }
            | Self::AuditList { .. }
            | Self::AuditVerify
            | Self::TokenCreate { .. }
            | Self::TokenList { .. }
            | Self::TokenRevoke { .. } => RequiredRole::Administer,
        }
    }

    /// Whether the audit trail tells of it: of all that takes more than the right to look, but for what only looks.
    pub fn is_audited(&self) -> bool {
        let looks = matches!(self, Self::AuditList { .. } | Self::AuditVerify | Self::TokenList { .. });
        self.required_role() > RequiredRole::View && !looks
    }

    /// Where its idempotency key goes, if it is a change that can have one.
    pub fn idempotency_key_mut(&mut self) -> Option<&mut Option<IdempotencyKey>> {
        match self {
            Self::ClusterCreate { idempotency_key, .. }
            | Self::ClusterDelete { idempotency_key, .. }
            | Self::ClusterScale { idempotency_key, .. }
            | Self::ClusterRetry { idempotency_key, .. }
            | Self::ClusterUpgrade { idempotency_key, .. }
            | Self::ClusterRenew { idempotency_key, .. }
            | Self::ServiceCreate { idempotency_key, .. }
            | Self::ServiceDelete { idempotency_key, .. }
            | Self::ServiceUpdate { idempotency_key, .. }
            | Self::ServiceScale { idempotency_key, .. }
            | Self::ServiceRefresh { idempotency_key, .. } => Some(idempotency_key),
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
            | Self::Whoami
            | Self::ContainerExec { .. }
            | Self::ServicePortForward { .. }
            | Self::ClusterAccess { .. }
            | Self::AuditList { .. }
            | Self::AuditVerify
            | Self::TokenCreate { .. }
            | Self::TokenList { .. }
            | Self::TokenRevoke { .. }
            | Self::TokenResolve { .. }
            | Self::Metrics => None,
        }
    }

    /// Where its expected generation goes, if it can have one: a condition, and no part of what is asked for.
    pub fn expected_generation_mut(&mut self) -> Option<&mut Option<u64>> {
        let Self::ServiceUpdate { expected_generation, .. } = self else { return None };
        Some(expected_generation)
    }

    /// Whether it is answered with a stream.
    pub fn is_stream(&self) -> bool {
        self.reply() != Reply::Answer
    }

    /// Whether it is answered with a stream that takes input.
    pub fn is_duplex(&self) -> bool {
        self.reply() == Reply::Duplex
    }

    /// In which form it is answered.
    pub const fn reply(&self) -> Reply {
        match self {
            Self::ServiceLogs { .. } | Self::OperationWatch { .. } | Self::Events { .. } => Reply::Stream,
            Self::ContainerExec { .. } | Self::ServicePortForward { .. } => Reply::Duplex,
            Self::ClusterCreate { .. }
            | Self::ClusterDelete { .. }
            | Self::ClusterInfo { .. }
            | Self::ClusterList { .. }
            | Self::ClusterPlan { .. }
            | Self::ClusterScale { .. }
            | Self::ClusterRetry { .. }
            | Self::ClusterUpgrade { .. }
            | Self::ClusterRenew { .. }
            | Self::ServiceCreate { .. }
            | Self::ServiceDelete { .. }
            | Self::ServiceInfo { .. }
            | Self::ServiceList { .. }
            | Self::ServiceUpdate { .. }
            | Self::ServiceScale { .. }
            | Self::ServiceRefresh { .. }
            | Self::HostInfo { .. }
            | Self::HostList { .. }
            | Self::ContainerInfo { .. }
            | Self::ContainerList { .. }
            | Self::CatalogList
            | Self::CatalogShow { .. }
            | Self::OperationInfo { .. }
            | Self::OperationList { .. }
            | Self::OperationCancel { .. }
            | Self::AccountAdd { .. }
            | Self::AccountCheck { .. }
            | Self::AccountList
            | Self::AccountRemove { .. }
            | Self::Doctor
            | Self::Whoami
            | Self::ClusterAccess { .. }
            | Self::AuditList { .. }
            | Self::AuditVerify
            | Self::TokenCreate { .. }
            | Self::TokenList { .. }
            | Self::TokenRevoke { .. }
            | Self::TokenResolve { .. }
            | Self::Metrics => Reply::Answer,
        }
    }
}
