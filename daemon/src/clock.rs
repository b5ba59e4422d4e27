//! The time, as a value that never goes back and can be paused.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use muster_protocol::Timestamp;
use tokio::time;

/// Where the time comes from. Clones show the same time.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The system's clock, and a steady way to it where that is set back or ahead.
    System(Arc<Mutex<Steady>>),
    /// tokio's clock, counted from a fixed date: it can be paused and then jumps over waiting. For tests.
    Tokio {
        /// The moment that counts as [`Clock::EPOCH`].
        started: time::Instant,
    },
}

impl Clock {
    /// What [`Clock::Tokio`] shows when it starts.
    pub const EPOCH: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    /// The system's clock.
    pub fn system() -> Self {
        Self::System(Arc::new(Mutex::new(Steady { shown: Timestamp::of_system_clock(), since: Instant::now() })))
    }

    /// A clock that follows tokio's, starting now.
    pub fn tokio() -> Self {
        Self::Tokio { started: time::Instant::now() }
    }

    /// The time now: never before one that was given already.
    pub fn now(&self) -> Timestamp {
        self.not_before(Timestamp::default())
    }

    /// How far this is ahead of the system's clock, which was set back.
    pub fn ahead(&self) -> Duration {
        match self {
            Self::System(_) => self.now().since(Timestamp::of_system_clock()),
            Self::Tokio { .. } => Duration::ZERO,
        }
    }

    /// How far this is behind the system's clock, which was set ahead.
    pub fn behind(&self) -> Duration {
        match self {
            Self::System(_) => Timestamp::of_system_clock().since(self.now()),
            Self::Tokio { .. } => Duration::ZERO,
        }
    }

    /// The time now and from now on is not before `moment`, which is on record: what was written then would lie in the
    /// future, and would not count as done until then.
    pub fn not_before(&self, moment: Timestamp) -> Timestamp {
        match self {
            Self::System(steady) => {
                let mut steady = steady.lock().unwrap_or_else(PoisonError::into_inner);
                let now = Instant::now();
                if steady.read(Timestamp::of_system_clock(), now) < moment {
                    *steady = Steady { shown: moment, since: now };
                }
                steady.read(Timestamp::of_system_clock(), now)
            }
            Self::Tokio { started } => Self::EPOCH + started.elapsed(),
        }
    }
}

/// What a clock may be ahead of the time that has passed without having been set.
const TOLERANCE: Duration = Duration::from_secs(1);

/// A clock that is set further ahead is followed at once: it was not set before, or the host slept.
const LONGEST_WAY_AHEAD: Duration = Duration::from_secs(2 * 3600);

/// A time that goes on when its source goes back, but at half the pace, so that the source catches up. When its source is
/// set ahead, it goes a quarter faster until it has caught up. Looks, retries and deadlines lie at moments of this time:
/// they come at another pace than they are due then, but they come, and none is skipped.
#[derive(Debug)]
pub struct Steady {
    /// The last time that the source itself showed.
    shown: Timestamp,
    /// When it showed that.
    since: Instant,
}

impl Steady {
    fn read(&mut self, source: Timestamp, now: Instant) -> Timestamp {
        let passed = now.saturating_duration_since(self.since);
        let (slowest, fastest) = (self.shown + passed / 2, self.shown + passed + passed / 4);
        if source < slowest {
            return slowest;
        }
        let ahead = source.since(self.shown + passed);
        if source > fastest && ahead > TOLERANCE && ahead <= LONGEST_WAY_AHEAD {
            return fastest;
        }
        *self = Self { shown: source, since: now };
        source
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_that_goes_back_neither_stops_the_time_nor_turns_it_back() {
        let start = Instant::now();
        let at = |millis| Timestamp::from_millis(millis);
        let after = |millis| start + Duration::from_millis(millis);
        let mut steady = Steady { shown: at(10_000), since: start };
        assert_eq!(steady.read(at(10_500), after(500)), at(10_500));
        // Set back by eight seconds.
        assert_eq!(steady.read(at(2_502), after(502)), at(10_501));
        assert_eq!(steady.read(at(3_500), after(1_500)), at(11_000));
        // Set right again.
        assert_eq!(steady.read(at(12_000), after(1_600)), at(12_000));
    }

    #[test]
    fn a_source_that_is_set_ahead_skips_no_deadline_and_is_shown_again_after_four_times_the_distance() {
        let start = Instant::now();
        let at = |seconds: u64| Timestamp::from_millis(seconds * 1_000);
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut steady = Steady { shown: at(10_000), since: start };
        // Set ahead by an hour.
        assert_eq!(steady.read(at(13_604), after(4)), at(10_005));
        assert_eq!(steady.read(at(14_000), after(400)), at(10_500));
        assert_eq!(steady.read(at(13_600 + 14_400), after(14_400)), at(28_000));
        assert_eq!(steady.read(at(28_004), after(14_404)), at(28_004));
        // A host that slept, or had no clock before, has the right time at once.
        assert_eq!(steady.read(at(99_000), after(14_405)), at(99_000));
    }

    #[test]
    fn a_source_that_went_back_and_stays_right_is_shown_again_after_twice_the_distance() {
        let start = Instant::now();
        let mut steady = Steady { shown: Timestamp::from_millis(10_000), since: start };
        let mut last = Timestamp::default();
        // Set back by eight seconds at once.
        for passed in (0..20_000).step_by(10) {
            let source = Timestamp::from_millis(2_000 + passed);
            let shown = steady.read(source, start + Duration::from_millis(passed));
            assert!(shown >= last, "after {passed} ms");
            assert_eq!(shown == source, passed >= 16_000, "after {passed} ms");
            last = shown;
        }
    }

    #[test]
    fn the_time_begins_at_what_is_on_record() {
        let clock = Clock::system();
        let record = Timestamp::of_system_clock() + Duration::from_secs(3600);
        assert!(clock.not_before(record) >= record);
        assert!(clock.clone().now() >= record);
        assert!(clock.ahead() > Duration::from_secs(3000) && Clock::system().ahead() < Duration::from_secs(1));
        assert!(Timestamp::of_system_clock() < record);
    }
}
