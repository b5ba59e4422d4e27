//! The one error type that users see, and the cause of a failed action.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::growing::growing_words;

growing_words! {
    /// What went wrong, as a stable word. Append-only: scripts match on it. `docs/errors.md` explains each.
    pub enum ErrorCode {
        /// The request itself is wrong; nothing was changed.
        InvalidArgument = 0 => "invalid-argument",
        /// The named thing does not exist.
        NotFound = 1 => "not-found",
        /// The name is taken.
        AlreadyExists = 2 => "already-exists",
        /// This orchestrator or infrastructure cannot do what was asked; nothing was changed.
        Unsupported = 3 => "unsupported",
        /// The caller's role does not allow it.
        PermissionDenied = 4 => "permission-denied",
        /// It contradicts the present state, for example a service on a cluster that is being deleted.
        Conflict = 5 => "conflict",
        /// The same idempotency key came with another request.
        IdempotencyMismatch = 6 => "idempotency-mismatch",
        /// A limit of this daemon is reached; try again later.
        Busy = 7 => "busy",
        /// The daemon is starting, stopping or gone.
        Unavailable = 8 => "unavailable",
        /// The peer broke the protocol.
        Protocol = 9 => "protocol",
        /// No protocol version is known to both sides.
        VersionMismatch = 10 => "version-mismatch",
        /// A mistake in Muster itself.
        Internal = 11 => "internal",
        /// The store could not write; the change was not made.
        Store = 12 => "store",
        /// The infrastructure refused for want of quota or capacity.
        Quota = 13 => "quota",
        /// The infrastructure or orchestrator asked to slow down.
        Throttled = 14 => "throttled",
        /// The account's credentials were refused.
        Credentials = 15 => "credentials",
        /// The infrastructure refused for another reason.
        Provider = 16 => "provider",
        /// The infrastructure or orchestrator did not answer.
        Unreachable = 17 => "unreachable",
        /// A machine could not be prepared.
        Preparation = 18 => "preparation",
        /// The orchestrator refused or failed.
        Orchestrator = 19 => "orchestrator",
        /// A service did not become healthy in its time.
        Unhealthy = 20 => "unhealthy",
        /// The deadline passed.
        DeadlineExceeded = 21 => "deadline-exceeded",
        /// It was cancelled.
        Cancelled = 22 => "cancelled",
        /// Another operation took its place.
        Superseded = 23 => "superseded",
        /// The control plane lost its quorum; no automatic repair is safe.
        QuorumLost = 24 => "quorum-lost",
    }
}

/// The detail of an error that does not tell whether the change was made.
const MAYBE_APPLIED: &str = "maybeApplied";

/// Whether the same request may succeed if it is made again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Retry {
    /// Not without a change by somebody.
    Never,
    /// Yes, after a while.
    Later,
}

/// The answer to a request that cannot be fulfilled. It changed nothing, unless `details.maybeApplied` is `true`: then nobody
/// waited for the change any longer, and it may have been made or may still be.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Error {
    /// The stable word.
    pub code: ErrorCode,
    /// What is wrong, lower-case, one sentence without a full stop.
    pub message: String,
    /// What the user can do about it.
    pub remedy: Option<String>,
    /// Whether it is worth asking again.
    pub retry: Retry,
    /// More, by name: the field, the value, the limit.
    pub details: BTreeMap<String, String>,
}

impl Error {
    /// An error that asking again does not mend.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), remedy: None, retry: Retry::Never, details: BTreeMap::new() }
    }

    /// Says what the user can do.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Says that asking again may help.
    #[must_use]
    pub fn retry_later(mut self) -> Self {
        self.retry = Retry::Later;
        self
    }

    /// Adds one named detail.
    #[must_use]
    pub fn with_detail(mut self, name: impl Into<String>, value: impl fmt::Display) -> Self {
        self.details.insert(name.into(), value.to_string());
        self
    }

    /// Says that the change may have been made, or may still be.
    #[must_use]
    pub fn maybe_applied(self) -> Self {
        self.with_detail(MAYBE_APPLIED, true)
    }

    /// Whether the change may have been made, or may still be.
    pub fn is_maybe_applied(&self) -> bool {
        self.details.get(MAYBE_APPLIED).is_some_and(|value| value == "true")
    }

    /// The named field has a value that cannot be.
    pub fn invalid(field: &str, message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidArgument, message).with_detail("field", field)
    }

    /// The named field cannot be honoured by `what`.
    pub fn unsupported(field: &str, what: impl fmt::Display) -> Self {
        Self::new(ErrorCode::Unsupported, format!("{what} does not support `{field}`")).with_detail("field", field)
    }

    /// No thing of this kind has this name or id.
    pub fn not_found(kind: &str, which: impl fmt::Display) -> Self {
        Self::new(ErrorCode::NotFound, format!("there is no {kind} `{which}`"))
            .with_detail("kind", kind)
            .with_remedy(format!("see what there is with `muster {kind} list`"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

impl std::error::Error for Error {}

/// Why an action failed: kept with the cluster, shown in its info, its operation and its events.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Cause {
    /// The stable word.
    pub code: ErrorCode,
    /// The step that failed, for example `create machine/worker-1`.
    pub step: String,
    /// What happened, lower-case, without a full stop. Never holds a secret.
    pub message: String,
    /// The provider's own error code, where it gave one.
    pub provider_code: Option<String>,
    /// The provider's id of the request, where it gave one: what its support asks for.
    pub provider_request_id: Option<String>,
    /// What the user can do about it.
    pub remedy: Option<String>,
    /// Whether Muster goes on trying by itself.
    pub retry: Retry,
    /// When it happened.
    pub at: Timestamp,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.step, self.message, self.code)
    }
}
