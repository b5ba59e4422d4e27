//! Requests for a change of an existing cluster, as the gateway hands them to its supervisor.

use std::sync::Arc;

use muster_engine::state::Requested;
use muster_protocol::model::service::ServiceSpec;
use muster_protocol::{Name, OperationId, Principal};

use crate::journal::audit_note::AuditNote;
use crate::journal::records::PendingAnswer;
use crate::permits::Permit;

/// Somebody asks for a change.
pub struct Intent {
    /// What for.
    pub wish: Wish,
    /// Who and when.
    pub asked: Requested,
    /// The answer to keep under the caller's idempotency key.
    pub answer: Option<PendingAnswer>,
    /// Its audit record.
    pub audit: Option<Arc<AuditNote>>,
    /// The turn of its idempotency key, which ends when the change is on disk or refused: if its caller does not wait so
    /// long and asks again, the second one finds the answer of the first.
    pub turn: Option<Turn>,
}

/// The only one at a time with its caller's idempotency key.
pub type Turn = Permit<(Principal, String)>;

/// What is asked for.
#[derive(Debug)]
pub enum Wish {
    /// Other numbers of machines.
    Scale {
        /// Control planes, if they change.
        control_planes: Option<u32>,
        /// Workers, if they change.
        workers: Option<u32>,
    },
    /// Nothing of the cluster left.
    Delete,
    /// Try again now.
    Retry,
    /// Another version, or the recipe that this release offers.
    Upgrade {
        /// The orchestrator's version; as it is if none.
        version: Option<String>,
    },
    /// New certificates.
    Renew,
    /// New services, all or none.
    CreateServices {
        /// What to run, with the values of secrets.
        specs: Vec<ServiceSpec>,
        /// The template they came from, as `name@version`.
        template: Option<String>,
    },
    /// Another version of a service.
    UpdateService {
        /// What to run; a secret without a value keeps the one it has.
        spec: Box<ServiceSpec>,
        /// The generation that it was made of, if that must be the present one.
        expected_generation: Option<u64>,
    },
    /// Another number of copies.
    ScaleService(Name, u32),
    /// A service once more, with what its image's tag means by now.
    RefreshService(Name),
    /// A service less.
    DeleteService(Name),
    /// What was asked for before an operation.
    Cancel(OperationId),
}
