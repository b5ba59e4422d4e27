//! Limits in time.

use std::time::Duration;

use crate::action::Action;
use crate::recipe::MachineStep;

/// How long things may take. No state is without one of these.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deadlines {
    /// A cluster operation but delete, from the asking.
    pub cluster: Duration,
    /// A delete, from the asking; then the cluster counts as released.
    pub removal: Duration,
    /// A service operation on a cluster that was not ready when it was asked for.
    pub first_service: Duration,
    /// One call that makes, starts or removes something at the infrastructure.
    pub infrastructure_call: Duration,
    /// One step on a machine that is there: its preparation, its drain, its upgrade.
    pub preparation: Duration,
    /// One call to the orchestrator.
    pub orchestrator_call: Duration,
    /// For how long the copies of another version of a service must have run before it counts as good.
    pub service_hold: Duration,
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
            service_hold: Duration::from_secs(5),
            listing_lag: Duration::ZERO,
        }
    }
}

impl Deadlines {
    /// How long the call of this action may take.
    pub(crate) fn of_call(&self, action: &Action) -> Duration {
        match action {
            Action::Step(_, MachineStep::Start) => self.infrastructure_call,
            Action::Step(..) => self.preparation,
            Action::Await(_) => self.cluster,
            Action::LookUp(_) | Action::Create(_) | Action::Update(_) | Action::Remove(_) | Action::Sweep => {
                if action.is_infrastructure() { self.infrastructure_call } else { self.orchestrator_call }
            }
        }
    }
}
