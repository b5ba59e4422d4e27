//! Events and answers.

use muster_protocol::model::event::EventKind;
use muster_protocol::{ClusterId, Name, OperationId, Timestamp};

use super::cause::{CauseForm, PrincipalForm};
use super::{Form, form, lies_as_it_is};
use crate::journal::records::{StoredAnswer, StoredEvent};

lies_as_it_is!(EventKind, (ClusterId, Name), [u8; 32]);

form!(EventForm of StoredEvent {
    at: Timestamp,
    kind: EventKind,
    cluster: Option<(ClusterId, Name)>,
    operation: Option<OperationId>,
    service: Option<Name>,
    who: Option<PrincipalForm>,
    message: String,
    cause: Option<CauseForm>,
});

form!(AnswerForm of StoredAnswer {
    principal: PrincipalForm,
    idempotency_key: String,
    request: [u8; 32],
    operation: OperationId,
    at: Timestamp,
});
