//! What is answered: once, or as a stream.

use serde::{Deserialize, Serialize};

use crate::InstanceId;
use crate::model::account::{AccountCheck, AccountInfo, Finding};
use crate::model::catalog::{CatalogListing, TemplateInfo};
use crate::model::cluster::{ClusterInfo, ClusterSummary};
use crate::model::container::ContainerInfo;
use crate::model::event::Event;
use crate::model::host::HostInfo;
use crate::model::operation::OperationInfo;
use crate::model::plan::Plan;
use crate::model::service::{LogLine, ServiceInfo};
use crate::page::Page;

/// The caller, as the daemon sees it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Whoami {
    /// The user's number.
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
}
