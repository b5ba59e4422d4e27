//! How an outside call fails.

use std::borrow::Cow;
use std::time::Duration;

use muster_protocol::{Cause, ErrorCode, Retry, Timestamp};
use serde::{Deserialize, Serialize};

use crate::words;

/// Whether a failed call may have had an effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Certainty {
    /// It certainly had none: refused, or never sent.
    NotApplied,
    /// It may have had one: no answer, or an answer that says nothing about it.
    MaybeApplied,
}

/// A failed call of a driver, preparer or handler.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message} ({code})")]
pub struct Failure {
    /// Whether it may have had an effect. When in doubt: [`Certainty::MaybeApplied`].
    pub certainty: Certainty,
    /// The stable word.
    pub code: ErrorCode,
    /// What happened, lower-case, without a full stop, without secrets.
    pub message: String,
    /// The provider's own code.
    pub provider_code: Option<String>,
    /// The provider's id of the request.
    pub provider_request_id: Option<String>,
    /// The field of the request that cannot be honoured, if it is about one.
    pub field: Option<Cow<'static, str>>,
    /// What the user can do.
    pub remedy: Option<String>,
    /// Whether the same call may succeed later without a change by somebody.
    pub retry: Retry,
    /// The provider's wish when to come back.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// The call was refused or never sent: nothing happened. Worth trying again.
    pub fn not_applied(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            certainty: Certainty::NotApplied,
            code,
            message: message.into(),
            provider_code: None,
            provider_request_id: None,
            field: None,
            remedy: None,
            retry: Retry::Later,
            retry_after: None,
        }
    }

    /// The answer is missing or says nothing: something may have happened.
    pub fn maybe_applied(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { certainty: Certainty::MaybeApplied, ..Self::not_applied(code, message) }
    }

    /// The call itself had no effect, but it was part of something that may have had one.
    #[must_use]
    pub fn in_doubt(self) -> Self {
        Self { certainty: Certainty::MaybeApplied, ..self }
    }

    /// A call that changes nothing had no effect, whatever became of it.
    #[must_use]
    pub fn of_reading(self) -> Self {
        Self { certainty: Certainty::NotApplied, ..self }
    }

    /// Trying again is useless until somebody changes something.
    #[must_use]
    pub fn permanent(mut self) -> Self {
        self.retry = Retry::Never;
        self
    }

    /// Names the field that cannot be honoured.
    #[must_use]
    pub fn with_field(mut self, field: impl Into<Cow<'static, str>>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Says what the user can do.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Keeps the provider's own code.
    #[must_use]
    pub fn with_provider_code(mut self, code: impl Into<String>) -> Self {
        self.provider_code = Some(code.into());
        self
    }

    /// The cause that users see, and that is stored: a provider that says very much is quoted in part.
    pub fn into_cause(self, step: String, at: Timestamp) -> Cause {
        let code = |code| words::at_most(words::MAX_CODE_BYTES, code);
        let sentence = |sentence| words::at_most(words::MAX_BYTES, sentence);
        Cause {
            code: self.code,
            step,
            message: sentence(self.message),
            provider_code: self.provider_code.map(code),
            provider_request_id: self.provider_request_id.map(code),
            remedy: self.remedy.map(sentence),
            retry: self.retry,
            at,
        }
    }
}
