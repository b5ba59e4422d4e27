//! What the handler's sessions keep: written by the supervisor like all else of its cluster, and given back at the next start.

use std::collections::BTreeMap;

use muster_engine::failure::Failure;
use muster_engine::session::{Kept, KeptEntry};
use muster_engine::state::ClusterState;
use muster_engine::words;
use muster_protocol::ErrorCode;
use muster_store::Batch;

use super::supervisor::SupervisorState;

impl SupervisorState {
    /// Keeps a value for the handler's session. A sealed one itself goes into the batch, for it is not part of the state.
    pub(super) fn keep(
        &self,
        next: &mut ClusterState,
        batch: &mut Batch,
        key: &str,
        value: Option<&Kept>,
    ) -> Result<(), Failure> {
        next.keep(key, value)?;
        if let Some(Kept::Sealed(value)) = value {
            let put = self.workshop.shared.vault.put_kept(batch, next.id(), key, value);
            put.map_err(|error| {
                Failure::not_applied(ErrorCode::Store, format!("cannot be stored: {}", words::chain(&error)))
            })?;
        }
        Ok(())
    }

    /// What the handler's sessions have kept.
    pub(super) async fn kept(&self) -> Result<BTreeMap<String, Kept>, Failure> {
        let mut values = BTreeMap::new();
        for (key, entry) in self.current.kept.iter() {
            let value = match entry {
                KeptEntry::Plain(value) => Some(Kept::Plain(value.clone())),
                KeptEntry::Sealed => {
                    let sealed = self.workshop.shared.vault.kept(self.current.id(), key).await;
                    let unread = |why| Failure::not_applied(ErrorCode::Store, format!("cannot read {key}: {why}"));
                    sealed.map_err(|error| unread(words::chain(&error)))?.map(Kept::Sealed)
                }
            };
            values.extend(value.map(|value| (key.clone(), value)));
        }
        Ok(values)
    }
}
