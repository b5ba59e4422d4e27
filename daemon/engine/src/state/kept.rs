//! What the handler's sessions keep.

use muster_protocol::ErrorCode;

use super::ClusterState;
use crate::failure::Failure;
use crate::session::{Kept, KeptEntry};

/// The longest key of a kept value, in bytes.
const LONGEST_KEY: usize = 200;
/// The largest kept value, in bytes.
const LARGEST_VALUE: usize = 64 << 10;
/// How many values may be kept for one cluster.
const MOST_VALUES: usize = 10_000;

impl ClusterState {
    /// Keeps a value, or forgets one. A sealed value itself goes into the vault with the same write.
    pub fn keep(&mut self, key: &str, value: Option<&Kept>) -> Result<(), Failure> {
        let Some(value) = value else {
            if self.kept.contains_key(key) {
                self.kept.remove(key);
            }
            return Ok(());
        };
        let (size, entry) = match value {
            Kept::Plain(value) => (value.len(), KeptEntry::Plain(value.clone())),
            Kept::Sealed(value) => (value.len(), KeptEntry::Sealed),
        };
        let refused = |message: String| Err(Failure::not_applied(ErrorCode::Internal, message).permanent());
        if key.is_empty() || key.len() > LONGEST_KEY {
            return refused(format!("a key of {} bytes cannot be kept: 1 to {LONGEST_KEY} are allowed", key.len()));
        }
        if size > LARGEST_VALUE {
            return refused(format!("a value of {size} bytes cannot be kept: {LARGEST_VALUE} are allowed"));
        }
        if self.kept.len() >= MOST_VALUES && !self.kept.contains_key(key) {
            return refused(format!("{MOST_VALUES} values are kept for this cluster already"));
        }
        self.kept.insert(key.to_owned(), entry);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use muster_protocol::model::cluster::{ClusterSpec, Infrastructure, Orchestrator};
    use muster_protocol::{ClusterId, OperationId, Principal, Retry, Timestamp};

    use zeroize::Zeroizing;

    use super::*;
    use crate::session::KeptEntries;
    use crate::sim::{SimOptions, SimWorld};
    use crate::state::{Deadlines, Requested};

    fn state() -> ClusterState {
        let spec = ClusterSpec::new("demo".parse().unwrap(), Orchestrator::Sim, Infrastructure::Sim);
        let blueprint = SimWorld::new(SimOptions::default()).blueprint();
        let asked =
            Requested { operation: OperationId::generate(), by: Principal::user("root"), at: Timestamp::default() };
        ClusterState::create(ClusterId::generate(), spec, blueprint, Deadlines::default(), asked)
    }

    #[test]
    fn a_value_is_kept_until_it_is_forgotten() {
        let mut state = state();
        state.keep("a", Some(&Kept::Plain(vec![1]))).unwrap();
        state.keep("b", Some(&Kept::Sealed(Zeroizing::new(vec![2])))).unwrap();
        let entries = [("a".to_owned(), KeptEntry::Plain(vec![1])), ("b".to_owned(), KeptEntry::Sealed)];
        assert_eq!(*state.kept, KeptEntries::from(entries));
        state.keep("a", None).unwrap();
        state.keep("b", None).unwrap();
        assert!(state.kept.is_empty());
    }

    #[test]
    fn what_is_too_long_is_refused_and_changes_nothing() {
        let mut state = state();
        let before = state.clone();
        for (key, size) in [("", 1), (&*"k".repeat(LONGEST_KEY + 1), 1), ("k", LARGEST_VALUE + 1)] {
            let failure = state.keep(key, Some(&Kept::Plain(vec![0; size]))).unwrap_err();
            assert_eq!(failure.retry, Retry::Never);
        }
        assert_eq!(state, before);
    }
}
