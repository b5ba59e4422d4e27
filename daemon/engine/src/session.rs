//! A handler's session: what a handler does for as long as its cluster is supervised, beside the calls it is asked for.
//!
//! A session watches the orchestrator and says when a look is worth it, or it is the orchestrator's framework and starts
//! the containers itself. What it must not forget it keeps through the supervisor, which is the only writer of a cluster.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::member::Member;

/// What a session reaches of its cluster's supervisor.
#[async_trait]
pub trait SessionHost: Send + Sync {
    /// Says that something is new. The orchestrator is looked at soon; what is so is learnt by that look only.
    fn look_now(&self);

    /// The machines that can be asked, as they change.
    fn members(&self) -> watch::Receiver<Vec<Member>>;

    /// Keeps a value under a key, or forgets what is kept there if there is no value. It is on disk when this returns well.
    async fn keep(&self, key: &str, value: Option<Kept>) -> Result<(), Failure>;
}

/// A value that a session keeps.
#[derive(Clone, PartialEq, Eq)]
pub enum Kept {
    /// As it is.
    Plain(Vec<u8>),
    /// Sealed on disk: it has a secret in it.
    Sealed(Zeroizing<Vec<u8>>),
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(value) => write!(f, "Plain({} bytes)", value.len()),
            Self::Sealed(_) => f.write_str("Sealed"),
        }
    }
}

/// A kept value as the state has it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum KeptEntry {
    /// The value.
    Plain(Vec<u8>),
    /// The value is in the vault.
    Sealed,
}

/// What is kept of one cluster, by key.
pub type KeptEntries = BTreeMap<String, KeptEntry>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_is_not_shown() {
        assert_eq!(format!("{:?}", Kept::Sealed(Zeroizing::new(b"secret".to_vec()))), "Sealed");
    }
}
