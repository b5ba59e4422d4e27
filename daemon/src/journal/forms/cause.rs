//! Why something failed, and who asked for it.

use muster_protocol::{Cause, ErrorCode, Principal, PrincipalKind, Retry, Timestamp};

use super::{Form, form, lies_as_it_is};

lies_as_it_is!(ErrorCode, PrincipalKind, Retry);

form!(PrincipalForm of Principal {
    kind: PrincipalKind,
    name: String,
});

form!(CauseForm of Cause {
    code: ErrorCode,
    step: String,
    message: String,
    provider_code: Option<String>,
    provider_request_id: Option<String>,
    remedy: Option<String>,
    retry: Retry,
    at: Timestamp,
});
