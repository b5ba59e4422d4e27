//! The protocol's types under one roof, for the description of the API.

use utoipa::ToSchema;

pub use muster_protocol::model::account::{AccountCheck, AccountInfo, Finding};
pub use muster_protocol::model::audit::{AuditRecord, AuditVerification};
pub use muster_protocol::model::catalog::{CatalogListing, TemplateInfo};
pub use muster_protocol::model::cluster::{ClusterInfo, ClusterSpec, ClusterSummary};
pub use muster_protocol::model::container::ContainerInfo;
pub use muster_protocol::model::event::Event;
pub use muster_protocol::model::host::HostInfo;
pub use muster_protocol::model::operation::OperationInfo;
pub use muster_protocol::model::plan::Plan;
pub use muster_protocol::model::service::{LogLine, ServiceInfo, ServiceSpec};
pub use muster_protocol::model::token::TokenInfo;

/// What a change answers that may also only be planned.
#[derive(ToSchema, serde::Serialize)]
#[serde(untagged)]
pub enum PlanOrOperation {
    /// With `dryRun`.
    Plan(Plan),
    /// With `Prefer: wait`.
    Operation(OperationInfo),
}
