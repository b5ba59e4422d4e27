//! How the simulated world misbehaves on demand, and where a test can stop it.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use muster_protocol::{ClusterId, ErrorCode};

use crate::ledger::ResourceKey;

/// Which method of driver, preparer or handler was called.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CallKind {
    /// `Driver::preflight`.
    Preflight,
    /// `Driver::create`.
    Create,
    /// `Driver::look_up`.
    LookUp,
    /// `Driver::start`.
    Start,
    /// `Driver::remove`.
    Remove,
    /// `Driver::observe`.
    ObserveMachines,
    /// `Driver::list_owned` for one cluster.
    ListOwned,
    /// `Preparer::perform`.
    Prepare,
    /// `Handler::form`.
    Form,
    /// `Handler::look_up_cluster`.
    LookUpCluster,
    /// `Handler::join`.
    Join,
    /// `Handler::look_up_node`.
    LookUpNode,
    /// `Handler::step`.
    Step,
    /// `Handler::remove_node`.
    RemoveNode,
    /// `Handler::deploy`.
    Deploy,
    /// `Handler::look_up_service`.
    LookUpService,
    /// `Handler::remove_service`.
    RemoveService,
    /// `Handler::observe`.
    ObserveOrchestrator,
    /// `Handler::logs`.
    Logs,
    /// The session of a framework asks which tasks run.
    ListTasks,
    /// The session of a framework starts a task.
    Launch,
    /// The session of a framework ends a task.
    Kill,
}

impl CallKind {
    /// Whether the call only looks at things all the time; all others are made because a plan has them as a step
    /// (or, for `preflight` and `logs`, because a user asked).
    pub const fn is_observation(self) -> bool {
        match self {
            Self::ObserveMachines | Self::ObserveOrchestrator | Self::ListTasks => true,
            Self::Preflight
            | Self::Create
            | Self::LookUp
            | Self::Start
            | Self::Remove
            | Self::ListOwned
            | Self::Prepare
            | Self::Form
            | Self::LookUpCluster
            | Self::Join
            | Self::LookUpNode
            | Self::Step
            | Self::RemoveNode
            | Self::Deploy
            | Self::LookUpService
            | Self::RemoveService
            | Self::Logs
            | Self::Launch
            | Self::Kill => false,
        }
    }
}

/// One call from outside into the world.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Call {
    /// Counts all calls of this world, from 0.
    pub number: u64,
    /// Which method.
    pub kind: CallKind,
    /// For which cluster.
    pub cluster: ClusterId,
    /// About what, where it is about one thing.
    pub key: Option<ResourceKey>,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{} {:?}", self.number, self.kind)?;
        match &self.key {
            Some(key) => write!(f, " {key}"),
            None => Ok(()),
        }
    }
}

/// One way in which a call goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// It is done, but its answer gets lost.
    LostAnswer,
    /// It never arrives, and nobody can tell.
    LostRequest,
    /// It is refused and certainly not done.
    Refused {
        /// With this code.
        code: ErrorCode,
        /// Whether asking again is useless.
        permanent: bool,
    },
    /// It is refused for now.
    Throttled {
        /// The wish when to come back.
        retry_after: Duration,
    },
    /// It takes so long, and is done at the end of that time.
    Slow(Duration),
    /// It never answers; only the caller's deadline ends it.
    Hang {
        /// Whether it is done nevertheless.
        applied: bool,
    },
    /// What it creates is in no answer to a question before this time has passed.
    /// For a world whose [`super::SimOptions::listing_lag`] is at least as long.
    LateListing(Duration),
    /// The same, and its answer gets lost: whoever looks it up finds nothing at first.
    LostAndListedLate(Duration),
}

/// Decides how a call goes wrong, if it does.
pub(super) type Decide = Box<dyn FnMut(&Call) -> Option<Fault> + Send>;

/// The fault for the `nth` (from 0) of those calls that `which` picks, and for no other.
pub fn nth(
    which: impl Fn(&Call) -> bool + Send + 'static,
    nth: u64,
    fault: Fault,
) -> impl FnMut(&Call) -> Option<Fault> + Send + 'static {
    let mut seen = 0;
    move |call| {
        if !which(call) {
            return None;
        }
        seen += 1;
        (seen == nth + 1).then_some(fault)
    }
}

/// The fault for every call that `which` picks.
pub fn every(
    which: impl Fn(&Call) -> bool + Send + 'static,
    fault: Fault,
) -> impl FnMut(&Call) -> Option<Fault> + Send + 'static {
    move |call| which(call).then_some(fault)
}

/// On which side of a call's effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moment {
    /// Nothing has happened yet.
    Before,
    /// It has happened, and the caller does not know yet.
    After,
}

/// Is told of both sides of every call. One that never returns stops the caller there: the place at which
/// a crash proof lets the process die.
#[async_trait]
pub trait Hook: Send + Sync {
    /// The caller is here now, and goes on when this returns.
    async fn at(&self, moment: Moment, call: &Call);
}
