//! Idempotency keys: a change that is asked for twice with the same key is made once.

use muster_protocol::model::operation::OperationInfo;
use muster_protocol::{Error, ErrorCode, Request, Timestamp, codec};
use muster_store::{ReadError, Store};
use zeroize::Zeroizing;

use super::recent_keys::RecentKeys;
use super::roles::Caller;
use crate::app::App;
use crate::cluster::intent::Turn;
use crate::gateway::refusals::store_error;
use crate::journal::records::{PendingAnswer, StoredAnswer};

/// How long an answer is remembered.
pub const REMEMBERED: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);

/// A change's key, and what it is the key of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Keyed {
    key: String,
    request: [u8; 32],
}

/// How a change begins.
pub enum Beginning {
    /// It was asked for before; this came of it.
    Known(Box<OperationInfo>),
    /// It is new.
    New(New),
}

/// A new change.
pub struct New {
    /// What is to be written with the change.
    pub answer: Option<PendingAnswer>,
    /// While this lives, others with its key wait. It goes with the change, which may outlast its caller's patience.
    pub turn: Option<Turn>,
}

/// Takes the key out of a request that changes something; none if it has none.
///
/// `fingerprint` is the vault's: secrets that are in a request must not be found by guessing from what is stored.
pub fn take_key(request: &mut Request, fingerprint: impl Fn(&[u8]) -> [u8; 32]) -> Result<Option<Keyed>, Error> {
    let Some(key) = request.idempotency_key_mut().and_then(Option::take) else { return Ok(None) };
    let printable = key.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if key.is_empty() || key.len() > 64 || !printable {
        return Err(Error::invalid("idempotencyKey", "an idempotency key has 1 to 64 printable ASCII characters")
            .with_remedy("use for example a UUID"));
    }
    // Asked for again, a change meets the generation that it has made itself: what it expects is not part of it.
    let expected = request.expected_generation_mut().and_then(Option::take);
    let bytes = codec::encode(request).map_err(|error| Error::new(ErrorCode::Internal, error.to_string()))?;
    if let Some(place) = request.expected_generation_mut() {
        *place = expected;
    }
    let bytes = Zeroizing::new(Vec::from(bytes));
    Ok(Some(Keyed { key, request: fingerprint(&bytes) }))
}

/// The keys of all answers that the store has.
pub async fn recent_keys(store: &Store, now: Timestamp) -> Result<RecentKeys, ReadError> {
    let keys = RecentKeys::new(REMEMBERED, now);
    for answer in store.scan::<StoredAnswer>(&[]).await? {
        keys.note(&answer.principal, &answer.idempotency_key, now);
    }
    Ok(keys)
}

/// Looks whether a change was asked for before; waits for one with the same key that is under way.
pub async fn begin(app: &App, caller: &Caller, keyed: Option<Keyed>) -> Result<Beginning, Error> {
    let Some(Keyed { key, request }) = keyed else {
        return Ok(Beginning::New(New { answer: None, turn: None }));
    };
    let turn = app.keys.take(&(caller.principal.clone(), key.clone())).await;
    let now = app.now();
    let stored = if app.recent_keys.note(&caller.principal, &key, now) {
        let stored = app.store.get::<StoredAnswer>(&StoredAnswer::key_of(&caller.principal, &key)).await;
        stored.map_err(store_error)?.filter(|stored| now.since(stored.at) < REMEMBERED)
    } else {
        None
    };
    match stored {
        Some(stored) if stored.request == request => {
            let operation = app.provisioner.shared.board.operation(stored.operation)?;
            Ok(Beginning::Known(Box::new(operation)))
        }
        Some(stored) => {
            Err(Error::new(ErrorCode::IdempotencyMismatch, "this idempotency key came with another request before")
                .with_remedy("use a new key for a new change")
                .with_detail("operation", stored.operation))
        }
        None => {
            let answer = PendingAnswer { principal: caller.principal.clone(), idempotency_key: key, request, at: now };
            Ok(Beginning::New(New { answer: Some(answer), turn: Some(turn) }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(workers: u32, key: &str) -> Request {
        Request::ClusterScale {
            cluster: "demo".parse().unwrap(),
            control_planes: None,
            workers: Some(workers),
            idempotency_key: Some(key.to_owned()),
        }
    }

    /// Enough to tell these requests apart.
    fn first_bytes(text: &[u8]) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes.iter_mut().zip(text).for_each(|(byte, of_text)| *byte = *of_text);
        bytes
    }

    #[test]
    fn the_same_request_has_the_same_fingerprint_whatever_its_key() {
        let keyed = |mut request| take_key(&mut request, first_bytes).unwrap().unwrap();
        assert_eq!(keyed(scale(1, "one")).request, keyed(scale(1, "other")).request);
        assert_ne!(keyed(scale(1, "one")).request, keyed(scale(2, "one")).request);
    }

    #[test]
    fn a_malformed_key_is_refused() {
        for key in ["", "tab\t", "ümlaut", &"x".repeat(65)] {
            assert_eq!(
                take_key(&mut scale(1, key), first_bytes).unwrap_err().details["field"],
                "idempotencyKey",
                "{key}"
            );
        }
        assert!(take_key(&mut scale(1, &"~".repeat(64)), first_bytes).unwrap().is_some());
    }
}
