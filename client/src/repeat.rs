//! Which requests may be made again when nobody knows whether the first one arrived.

use muster_protocol::Request;
use uuid::Uuid;

/// Whether a request may be made again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Repeat {
    /// It changes nothing.
    Read,
    /// It changes something, once, because of its idempotency key.
    Keyed,
    /// It may be done twice.
    Never,
}

/// Makes the request safe to repeat where that is possible: a change without an idempotency key gets one.
pub(crate) fn make_repeatable(request: &mut Request) -> Repeat {
    if let Some(key) = request.idempotency_key_mut() {
        key.get_or_insert_with(|| Uuid::now_v7().simple().to_string());
        return Repeat::Keyed;
    }
    // A check asks the infrastructure and changes nothing, though it takes more than the right to look. Of two files with
    // which a cluster is reached, the one that nobody got ends by itself.
    let is_harmless = matches!(request, Request::AccountCheck { .. } | Request::ClusterAccess { .. });
    if is_harmless || !request.is_audited() { Repeat::Read } else { Repeat::Never }
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_protocol::OperationId;
    use muster_protocol::page::PageRequest;

    fn delete(key: Option<&str>) -> Request {
        let cluster = "demo".parse().unwrap();
        Request::ClusterDelete { cluster, idempotency_key: key.map(str::to_owned) }
    }

    #[test]
    fn a_change_gets_a_key_of_its_own_and_keeps_one_that_it_has() {
        let [mut first, mut second, mut keyed] = [delete(None), delete(None), delete(Some("mine"))];
        for request in [&mut first, &mut second, &mut keyed] {
            assert_eq!(make_repeatable(request), Repeat::Keyed);
        }
        assert_ne!(first, delete(None));
        assert_ne!(first, second);
        assert_eq!(keyed, delete(Some("mine")));
    }

    #[test]
    fn reads_repeat_and_changes_without_a_place_for_a_key_do_not() {
        let account = || "aws".parse().unwrap();
        for (mut request, repeat) in [
            (Request::ClusterList { page: PageRequest::default() }, Repeat::Read),
            (Request::AccountCheck { account: account() }, Repeat::Read),
            (Request::AccountRemove { account: account() }, Repeat::Never),
            (Request::OperationCancel { id: OperationId::generate() }, Repeat::Never),
        ] {
            assert_eq!(make_repeatable(&mut request), repeat, "{request:?}");
        }
    }
}
