//! Lines of ledgers. States, facts, keys and steps are the engine's own stored types, which golden files guard.

use muster_engine::ledger::{Duty, InfraKey, LedgerEntry, ResourceKey, ResourceState, StepRun};
use muster_engine::recipe::Prepared;
use muster_protocol::model::host::Role;
use muster_protocol::{ClusterId, Name, Timestamp};

use super::cause::CauseForm;
use super::{Form, form, lies_as_it_is};
use crate::journal::records::StoredEntry;

lies_as_it_is!(Duty, InfraKey, Prepared, ResourceKey, ResourceState, StepRun);

form!(EntryForm of StoredEntry {
    cluster: ClusterId,
    key: ResourceKey,
    entry: LedgerForm,
});

form!(LedgerForm of LedgerEntry {
    state: ResourceState,
    since: Timestamp,
    created_at: Timestamp,
    failures: u32,
    attempt: u32,
    next_try: Option<Timestamp>,
    cause: Option<CauseForm>,
    role: Option<Role>,
    formed_on: Option<Name>,
    after: Vec<InfraKey>,
    input: u64,
    prepared: Option<Prepared>,
    step: Option<StepRun>,
    runs: u32,
    duty: Duty,
    renewed: u64,
});
