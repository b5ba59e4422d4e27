//! Operations as they are stored: the public record, and what is needed to end or undo them.

use muster_protocol::Name;
use muster_protocol::model::operation::{OperationInfo, OperationKind};
use serde::{Deserialize, Serialize};

use crate::desired::{Desired, ServiceVersion};

/// The stored record of one change that was asked for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OperationRecord {
    /// What users see.
    pub info: OperationInfo,
    /// What it changed: what must be seen to be so for it to succeed, and what is restored if it is cancelled.
    pub target: Target,
}

impl OperationRecord {
    /// Whether its services return to their last good versions if it fails: it changed some that were there.
    pub(crate) fn returns_on_failure(&self) -> bool {
        matches!(
            self.info.kind,
            OperationKind::ServiceUpdate | OperationKind::ServiceScale | OperationKind::ServiceRefresh
        )
    }

    /// Which version of a service was asked for before, and is again if this is cancelled.
    pub fn before(&self, service: &Name) -> Option<&ServiceVersion> {
        self.target.services().iter().find(|target| target.name == *service)?.before.as_ref()
    }
}

/// What an operation changed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Target {
    /// The cluster itself.
    Cluster {
        /// What was asked for before; none if the cluster did not exist.
        before: Option<Desired>,
    },
    /// Services.
    Services(Vec<ServiceTarget>),
}

impl Target {
    /// The services; none if it is the cluster.
    pub fn services(&self) -> &[ServiceTarget] {
        match self {
            Self::Cluster { .. } => &[],
            Self::Services(targets) => targets,
        }
    }

    pub(crate) fn services_mut(&mut self) -> &mut [ServiceTarget] {
        match self {
            Self::Cluster { .. } => &mut [],
            Self::Services(targets) => targets,
        }
    }
}

/// One service that an operation changed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ServiceTarget {
    /// The service.
    pub name: Name,
    /// The generation that the operation asked for.
    pub generation: u64,
    /// What was asked for before; none if the service did not exist.
    pub before: Option<ServiceVersion>,
}
