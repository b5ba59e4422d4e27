//! Operations.

use muster_engine::operation::{OperationRecord, ServiceTarget, Target};
use muster_protocol::model::operation::{OperationInfo, OperationKind, OperationPhase};
use muster_protocol::{ClusterId, Name, OperationId, Timestamp};
use serde::{Deserialize, Serialize};

use super::cause::{CauseForm, PrincipalForm};
use super::cluster::DesiredForm;
use super::service::VersionForm;
use super::{Form, Readable, form, lies_as_it_is};

lies_as_it_is!(OperationKind, OperationPhase);

form!(OperationForm of OperationRecord {
    info: InfoForm,
    target: TargetForm,
});

form!(InfoForm of OperationInfo {
    id: OperationId,
    kind: OperationKind,
    cluster_id: ClusterId,
    cluster: Name,
    services: Vec<Name>,
    phase: OperationPhase,
    requested_by: PrincipalForm,
    created_at: Timestamp,
    deadline: Timestamp,
    ended_at: Option<Timestamp>,
    steps_done: u32,
    steps_total: u32,
    message: String,
    cause: Option<CauseForm>,
});

/// What an operation changed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::journal) enum TargetForm {
    /// The cluster: what was asked for before.
    Cluster(Option<DesiredForm>),
    /// Services.
    Services(Vec<ServiceTargetForm>),
}

impl Form<Target> for TargetForm {
    fn of(value: &Target) -> Self {
        match value {
            Target::Cluster { before } => Self::Cluster(Form::of(before)),
            Target::Services(targets) => Self::Services(Form::of(targets)),
        }
    }
}

impl Readable<Target> for TargetForm {
    fn value(self) -> Target {
        match self {
            Self::Cluster(before) => Target::Cluster { before: before.value() },
            Self::Services(targets) => Target::Services(targets.value()),
        }
    }
}

form!(ServiceTargetForm of ServiceTarget {
    name: Name,
    generation: u64,
    before: Option<VersionForm>,
});
