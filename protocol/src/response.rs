//! What is answered: once, or as a stream.

use serde::{Deserialize, Serialize};

use crate::model::access::AccessFile;
use crate::model::account::{AccountCheck, AccountInfo, Finding};
use crate::model::audit::{AuditRecord, AuditVerification};
use crate::model::catalog::{CatalogListing, TemplateInfo};
use crate::model::cluster::{ClusterInfo, ClusterSummary};
use crate::model::container::ContainerInfo;
use crate::model::event::Event;
use crate::model::host::HostInfo;
use crate::model::operation::OperationInfo;
use crate::model::plan::Plan;
use crate::model::service::{LogLine, ServiceInfo};
use crate::model::token::{NewToken, TokenInfo};
use crate::page::Page;
use crate::{ExecOutput, InstanceId, Principal};

/// The caller, as the daemon sees it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Whoami {
    /// Who the caller is.
    pub principal: Principal,
    /// The number of the user at the other end of the connection.
    pub uid: u32,
    /// The role: `viewer`, `operator`, `admin`, or `none`, with which nothing but this may be asked.
    pub role: String,
    /// The daemon's version.
    pub daemon_version: String,
    /// The daemon's installation.
    pub instance: InstanceId,
}

/// The answer to a request that is not a stream.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Response {
    /// The wish is on disk; this is its record.
    Operation(OperationInfo),
    /// One cluster.
    Cluster(Box<ClusterInfo>),
    /// Clusters.
    Clusters(Page<ClusterSummary>),
    /// A plan.
    Plan(Plan),
    /// One service.
    Service(Box<ServiceInfo>),
    /// Services.
    Services(Page<ServiceInfo>),
    /// One machine.
    Host(Box<HostInfo>),
    /// Machines.
    Hosts(Page<HostInfo>),
    /// One container.
    Container(Box<ContainerInfo>),
    /// Containers.
    Containers(Page<ContainerInfo>),
    /// The catalog.
    Catalog(CatalogListing),
    /// One template.
    Template(Box<TemplateInfo>),
    /// Operations.
    Operations(Page<OperationInfo>),
    /// One account.
    Account(AccountInfo),
    /// Accounts.
    Accounts(Vec<AccountInfo>),
    /// The result of an account check.
    AccountCheck(AccountCheck),
    /// Done, and there is nothing to say.
    Done,
    /// What `doctor` found.
    Doctor(Vec<Finding>),
    /// Who is who.
    Whoami(Whoami),
    /// A file with which a cluster is reached.
    Access(Box<AccessFile>),
    /// Records of the audit trail.
    Audit(Page<AuditRecord>),
    /// What a check of the audit trail found.
    AuditVerification(AuditVerification),
    /// A token that was just made.
    NewToken(Box<NewToken>),
    /// Tokens.
    Tokens(Page<TokenInfo>),
    /// What a token grants; none if it is unknown, revoked or has ended.
    TokenGrant(Option<Box<TokenInfo>>),
    /// Text in a form that the request says.
    Text(String),
}

/// One item of a stream.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum StreamItem {
    /// An operation as it is now.
    Operation(OperationInfo),
    /// An event.
    Event(Event),
    /// A line of a service's output.
    Log(LogLine),
    /// What a command in a container says.
    Exec(ExecOutput),
    /// What comes over a connection to a port.
    Bytes(Vec<u8>),
}
