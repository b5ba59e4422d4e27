//! Why an operation is not done in time, or will not be.

use std::time::Duration;

use muster_protocol::{Cause, ErrorCode, Name, Retry, Timestamp};

use crate::failure::Failure;
use crate::ledger::ResourceKey;
use crate::observed::ObservedService;
use crate::operation::{OperationRecord, Target};
use crate::plan::{Gate, Part};
use crate::state::ClusterState;

/// How long after its submission a service must be seen to be beyond hope: its image may just be on its way to the registry.
const LAST_HOPE: Duration = Duration::from_secs(10);

impl ClusterState {
    /// Why waiting for an operation's services is of no use, if that is so: nobody has to wait for its deadline then.
    pub(super) fn hopeless_cause(&self, operation: &OperationRecord) -> Option<Cause> {
        let beyond_hope = operation.target.services().iter().find(|target| {
            let entry = self.ledger.get(&ResourceKey::Service(target.name.clone()));
            let seen = self.observed.orchestrator.services.get(&target.name);
            let submitted = entry.filter(|entry| entry.present().is_some()).map(|entry| entry.since);
            let is_late =
                submitted.zip(self.observed.orchestrator_at).is_some_and(|(since, at)| at >= since + LAST_HOPE);
            is_late
                && seen.is_some_and(|seen| {
                    let is_hopeless = seen.trouble.as_ref().is_some_and(|trouble| trouble.hopeless);
                    is_hopeless && seen.generation == target.generation
                })
        });
        let cause = beyond_hope.and_then(|target| self.service_cause(&target.name))?;
        Some(Cause { retry: Retry::Never, ..cause })
    }

    /// How far the first service is that is not where an operation wants it.
    fn progress_of(&self, target: &Target) -> Option<String> {
        let seen = |name: &Name| self.observed.orchestrator.services.get(name);
        let behind =
            target.services().iter().filter_map(|target| seen(&target.name)).find(|seen| seen.ready < seen.wanted);
        behind.map(ObservedService::progress)
    }

    /// Why an operation is not done in time.
    pub(super) fn overdue_cause(&self, operation: &OperationRecord, part: &Part<'_>, now: Timestamp) -> Cause {
        let waits = part.iter().find(|step| !matches!(step.gate, Gate::Waiting(None)));
        if let Some(cause) = self.cause_of(&operation.target) {
            return cause;
        }
        let step = waits.map_or_else(|| operation.info.kind.to_string(), |step| step.action.to_string());
        let progress = self.progress_of(&operation.target).map_or_else(String::new, |progress| format!(": {progress}"));
        let message = format!("`{step}` did not come to an end in time{progress}");
        let failure = Failure::not_applied(ErrorCode::DeadlineExceeded, message);
        failure.with_remedy(overdue_remedy(operation)).permanent().into_cause(step, now)
    }
}

/// What is asked for stays so after the time is up, but for a change of a service, which is withdrawn.
fn overdue_remedy(operation: &OperationRecord) -> &'static str {
    if operation.returns_on_failure() {
        "the version that was well is asked for again; see with `muster service info` how far this one came, and if it \
         was only slow, ask for it anew with a longer `update.deadlineMs`"
    } else {
        "see what it waits for with `muster cluster info`, then try again with `muster cluster retry`"
    }
}
