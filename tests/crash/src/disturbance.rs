//! What goes wrong in a run, and how much help it may need for that.

use std::time::Duration;

use muster_engine::sim::Fault;

use super::client::Forgives;

/// What disturbs the part under proof.
#[derive(Clone, Copy, Debug)]
pub enum Disturbance {
    /// Nothing: for counting.
    None,
    /// The process stops at this point, counted from 1.
    Crash(u64),
    /// It stops at this point, and the next one at that point of its life.
    CrashTwice(u64, u64),
    /// This call, counted from 0, goes wrong.
    Fault(u64, Fault),
    /// This write, counted from 0, and some after it are refused, as by a full disk. (One whose end nobody knows ends the
    /// daemon, and is a crash.)
    FullDisk(u64),
}

/// How many writes a full disk refuses: enough for a supervisor to be started again several times.
pub const REFUSED_WRITES: u64 = 4;

impl Disturbance {
    /// Whether it stays until somebody mends it: a refusal for good. Everything else passes, and then nobody need help:
    /// what was asked for comes to its end by itself.
    pub fn is_permanent(self) -> bool {
        match self {
            Self::Fault(_, fault) => match fault {
                Fault::Refused { permanent, .. } => permanent,
                Fault::LostAnswer
                | Fault::LostRequest
                | Fault::Throttled { .. }
                | Fault::Slow(_)
                | Fault::Hang { .. }
                | Fault::LateListing(_)
                | Fault::LostAndListedLate(_) => false,
            },
            Self::None | Self::Crash(_) | Self::CrashTwice(..) | Self::FullDisk(_) => false,
        }
    }

    /// Which refusals of one request, before anything was changed, the client asks past.
    pub fn forgives(self) -> Forgives {
        match self {
            Self::None | Self::Crash(_) | Self::CrashTwice(..) => Forgives::Nothing,
            // Creation is refused if its preflight fails. One that passes must say so, for whoever asks to know it.
            Self::Fault(..) if !self.is_permanent() => Forgives::OnceIfLater,
            Self::Fault(..) => Forgives::Times(1),
            Self::FullDisk(_) => Forgives::Times(u32::try_from(REFUSED_WRITES).unwrap_or(u32::MAX)),
        }
    }

    /// By how much what is created may be missing in listings.
    pub fn listing_lag(self) -> Duration {
        match self {
            Self::Fault(_, Fault::LateListing(lag) | Fault::LostAndListedLate(lag)) => lag,
            Self::Fault(..) | Self::None | Self::Crash(_) | Self::CrashTwice(..) | Self::FullDisk(_) => Duration::ZERO,
        }
    }
}
