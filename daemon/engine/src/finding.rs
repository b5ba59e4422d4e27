//! What a look at an account finds.

use muster_protocol::Timestamp;
use muster_protocol::model::account::Finding;

use crate::failure::Failure;

/// What was looked at, and what was found there or what is wrong with it.
pub fn finding(subject: &str, result: Result<String, Failure>, at: Timestamp) -> Finding {
    match result {
        Ok(message) => Finding { subject: subject.to_owned(), ok: true, message, cause: None },
        Err(failure) => Finding {
            subject: subject.to_owned(),
            ok: false,
            message: failure.message.clone(),
            cause: Some(failure.into_cause(format!("check {subject}"), at)),
        },
    }
}
