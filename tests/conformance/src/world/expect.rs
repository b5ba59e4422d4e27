//! What answers should be.

use anyhow::{Result, bail, ensure};
use muster_client::ClientError;
use muster_client::protocol::model::operation::{OperationInfo, OperationPhase};
use muster_client::protocol::{Error, ErrorCode};

/// The refusal, which must have this code and name this field.
///
/// # Errors
/// If it was not refused, or otherwise. One with code `unsupported` is passed on as it is.
pub fn refused<T>(asked: Result<T, ClientError>, code: ErrorCode, field: &str) -> Result<Error> {
    let error = match asked {
        Ok(_) => bail!("`{field}` is accepted"),
        Err(ClientError::Remote(error)) => error,
        Err(error) => return Err(error.into()),
    };
    if error.code == ErrorCode::Unsupported && code != ErrorCode::Unsupported {
        return Err(ClientError::Remote(error).into());
    }
    ensure!(error.code == code, "refused with another code: {error:?}");
    ensure!(field_of(&error) == field, "refused by another field than `{field}`: {error:?}");
    Ok(error)
}

/// The field that a refusal names, without places in lists: `ports.published` of `ports[0].published`.
pub fn field_of(error: &Error) -> String {
    let field = error.details.get("field").or_else(|| error.details.get("kind"));
    let mut plain = String::new();
    let mut is_place = false;
    for letter in field.map(String::as_str).unwrap_or_default().chars() {
        match letter {
            '[' => is_place = true,
            ']' => is_place = false,
            _ if is_place => {}
            _ => plain.push(letter),
        }
    }
    plain
}

/// That an operation has ended well.
///
/// # Errors
/// If it has not, with its cause.
pub fn succeeded(ended: OperationInfo) -> Result<OperationInfo> {
    match &ended.cause {
        _ if ended.phase == OperationPhase::Succeeded => Ok(ended),
        Some(cause) => bail!("{} {}: {cause}", ended.kind, ended.phase),
        None => bail!("{} {}", ended.kind, ended.phase),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_compare_without_their_places_in_lists() {
        assert_eq!(field_of(&Error::invalid("ports[12].published", "no")), "ports.published");
        assert_eq!(field_of(&Error::not_found("service", "web")), "service");
        assert_eq!(field_of(&Error::new(ErrorCode::Busy, "no")), "");
    }
}
