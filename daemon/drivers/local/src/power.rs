//! What the engine's word for a container's state means for a machine.

use bollard::models::ContainerSummaryStateEnum as State;
use muster_engine::observed::Power;

/// A machine as its container shows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    /// The container was made and never started: its keys may not be there yet.
    New,
    /// It runs.
    Running,
    /// It runs, and somebody has taken it off the cluster's network: nobody reaches it.
    CutOff,
    /// It ran, and can be started again.
    Stopped,
    /// It is frozen, and can be thawed.
    Paused,
    /// It is being removed, or its removal broke off: there is no way back to a machine.
    Leaving,
}

impl Stage {
    /// Reads the engine's word.
    pub(crate) fn of(state: Option<State>) -> Self {
        match state {
            Some(State::CREATED) => Self::New,
            Some(State::RUNNING | State::RESTARTING | State::STOPPING) => Self::Running,
            Some(State::PAUSED) => Self::Paused,
            Some(State::REMOVING | State::DEAD) => Self::Leaving,
            Some(State::EXITED | State::EMPTY) | None => Self::Stopped,
        }
    }

    /// The same of one that is on the cluster's network, or is not.
    pub(crate) fn on_network(self, is_on: bool) -> Self {
        if self == Self::Running && !is_on { Self::CutOff } else { self }
    }

    /// How the machine counts; none if it does not any more.
    pub(crate) fn power(self) -> Option<Power> {
        match self {
            Self::Running => Some(Power::Running),
            Self::New | Self::Stopped | Self::Paused | Self::CutOff => Some(Power::Stopped),
            Self::Leaving => None,
        }
    }
}
