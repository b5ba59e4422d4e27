//! Limits in time.

use std::time::Duration;

use crate::action::Action;

/// How long things may take. No state is without one of these.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deadlines {
    /// A cluster operation but delete, from the asking.
    pub cluster: Duration,
    /// A delete, from the asking; then the cluster counts as released.
    pub removal: Duration,
    /// A service operation on a cluster that was not ready when it was asked for.
    pub first_service: Duration,
    /// One call that makes, starts or removes a network or machine.
    pub infrastructure_call: Duration,
    /// One preparation of a machine.
    pub preparation: Duration,
    /// One call to the orchestrator.
    pub orchestrator_call: Duration,
    /// How long a listing at the infrastructure may lag; see [`crate::driver::Driver::listing_lag`].
    pub listing_lag: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        Self {
            cluster: minutes(30),
            removal: minutes(15),
            first_service: minutes(30),
            infrastructure_call: minutes(10),
            preparation: minutes(15),
            orchestrator_call: minutes(3),
            listing_lag: Duration::ZERO,
        }
    }
}

impl Deadlines {
    /// How long the call of this action may take.
    pub(crate) fn of_call(&self, action: &Action) -> Duration {
        match action {
            Action::Prepare(_) => self.preparation,
            Action::Await(_) => self.cluster,
            Action::LookUp(_)
            | Action::Create(_)
            | Action::Start(_)
            | Action::Update(_)
            | Action::Remove(_)
            | Action::Sweep => {
                if action.is_infrastructure() {
                    self.infrastructure_call
                } else {
                    self.orchestrator_call
                }
            }
        }
    }
}
