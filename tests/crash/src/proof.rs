//! All scenarios with all disturbances.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use muster_engine::sim::Fault;
use muster_protocol::ErrorCode;

use super::disturbance::Disturbance;
use super::run::run;
use super::scenario::{self, Scenario};
use super::verdict::Verdict;

/// What to prove.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Only scenarios whose name has this in it.
    pub only: Option<String>,
    /// Only this point or call of them; with `only`, to run one history again.
    pub point: Option<u64>,
    /// In which order the points are tried: a proof that is broken off has then seen other points than the last one.
    pub seed: u64,
    /// Only one crash a run: no second one, no calls that go wrong, no full disk.
    pub crashes_only: bool,
}

/// The sum of all verdicts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Runs with one disturbance each.
    pub points: u64,
    /// Those of them in which a request was refused at first, and asked for again.
    pub asked_again: u64,
    /// Those of them in which a refusal for good was mended by somebody, who tried again.
    pub helped: u64,
    /// Those of them in which a deletion was cancelled when it had taken the majority already.
    pub beyond_return: u64,
    /// Things left of what should be gone.
    pub orphans: usize,
    /// Things made twice.
    pub duplicates: usize,
    /// Things of others touched, or a quorum broken.
    pub wrong_deletes: usize,
    /// Acknowledged requests that were lost.
    pub lost: usize,
    /// Runs that did not come to the end that was asked for.
    pub stuck: usize,
}

impl Totals {
    /// Whether nothing at all went wrong.
    pub fn is_clean(&self) -> bool {
        let Self { points, asked_again, helped, beyond_return, .. } = *self;
        *self == Self { points, asked_again, helped, beyond_return, ..Self::default() }
    }

    /// What people and programs had to do in these runs: everything else went by itself.
    pub fn help(&self) -> String {
        let Self { asked_again, helped, beyond_return, .. } = self;
        format!(
            "help: {asked_again} runs with a request refused at first and asked for again, \
             {helped} runs with a refusal for good mended and tried again, \
             {beyond_return} runs with a deletion cancelled too late to be undone"
        )
    }

    fn add(&mut self, verdict: &Verdict) {
        self.points += 1;
        self.asked_again += u64::from(verdict.asked_again);
        self.helped += u64::from(verdict.helped);
        self.beyond_return += u64::from(verdict.beyond_return);
        self.orphans += verdict.orphans.len();
        self.duplicates += verdict.duplicates.len();
        self.wrong_deletes += verdict.wrong_deletes.len();
        self.lost += verdict.lost.len();
        self.stuck += verdict.stuck.len();
    }
}

impl std::fmt::Display for Totals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { points, orphans, duplicates, wrong_deletes, lost, stuck, .. } = self;
        write!(
            f,
            "{points} points: {orphans} orphans, {duplicates} duplicates, {wrong_deletes} wrong deletes, {lost} lost, {stuck} stuck"
        )
    }
}

/// Where the second process stops, counted from its start: while it finds out what the first one left open.
const SECOND_CRASHES: RangeInclusive<u64> = 1..=6;

/// The ways in which each call goes wrong.
fn faults() -> Vec<Fault> {
    vec![
        Fault::LostAnswer,
        Fault::LostRequest,
        Fault::Refused { code: ErrorCode::Provider, permanent: false },
        Fault::Refused { code: ErrorCode::Quota, permanent: true },
        Fault::Throttled { retry_after: Duration::from_secs(5) },
        Fault::Slow(Duration::from_secs(20)),
        Fault::Hang { applied: true },
        Fault::Hang { applied: false },
        Fault::LateListing(Duration::from_secs(30)),
    ]
}

/// Runs the proof on all processors. `report` hears of each scenario and of everything that goes wrong.
pub fn prove(options: &Options, report: impl Fn(&str) + Sync) -> Totals {
    let totals = Mutex::new(Totals::default());
    let wanted = |scenario: &Scenario| options.only.as_ref().is_none_or(|only| scenario.name.contains(only.as_str()));
    for scenario in scenario::all().into_iter().filter(wanted) {
        let half =
            scenario.uninterrupted.as_ref().map_or(0, |whole| undisturbed(whole, 0, &report).count.steps.div_ceil(2));
        let calm = undisturbed(&scenario, half, &report);
        lock(&totals).add(&calm);
        let queue = Mutex::new(disturbances(options, &calm).into_iter());
        let runs = lock(&queue).len() + 1;
        let work = || {
            loop {
                let Some(disturbance) = lock(&queue).next() else { return };
                let verdict = in_a_fresh_place(|dir| run(&scenario, disturbance, half, dir));
                lock(&totals).add(&verdict);
                if !verdict.is_clean() {
                    tell(&scenario, disturbance, &verdict, &report);
                }
            }
        };
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            for _ in 0..processors {
                scope.spawn(work);
            }
        });
        report(&format!("{}: {runs} runs", scenario.name));
    }
    *lock(&totals)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn disturbances(options: &Options, calm: &Verdict) -> Vec<Disturbance> {
    let chosen = |number: &u64| options.point.is_none_or(|point| point == *number);
    let crashes = (1..=calm.count.points).filter(chosen).map(Disturbance::Crash);
    let (calls, again) = if options.crashes_only { (0, 0) } else { (calm.count.calls, calm.count.points) };
    let twice = (1..=again)
        .filter(chosen)
        .flat_map(|first| SECOND_CRASHES.map(move |then| Disturbance::CrashTwice(first, then)));
    let faulty = (0..calls)
        .filter(chosen)
        .flat_map(|call| faults().into_iter().map(move |fault| Disturbance::Fault(call, fault)));
    let writes = if options.crashes_only { 0 } else { calm.count.writes };
    let full = (0..writes).filter(chosen).map(Disturbance::FullDisk);
    let mut all: Vec<Disturbance> = crashes.chain(twice).chain(faulty).chain(full).collect();
    if !all.is_empty() {
        let turn = usize::try_from(options.seed).unwrap_or(0) % all.len();
        all.rotate_left(turn);
    }
    all
}

fn undisturbed(scenario: &Scenario, half: u64, report: &impl Fn(&str)) -> Verdict {
    let verdict = in_a_fresh_place(|dir| run(scenario, Disturbance::None, half, dir));
    if !verdict.is_clean() {
        tell(scenario, Disturbance::None, &verdict, report);
    }
    verdict
}

/// The history that reproduces what went wrong.
fn tell(scenario: &Scenario, disturbance: Disturbance, verdict: &Verdict, report: &impl Fn(&str)) {
    let faults: Vec<String> = verdict.faults().map(|fault| format!("    {fault}")).collect();
    let trace: Vec<String> = verdict.trace.iter().map(|point| format!("    {point}")).collect();
    let (faults, trace) = (faults.join("\n"), trace.join("\n"));
    // In one piece: other runs report at the same time.
    report(&format!("FAILED {}: {disturbance:?}\n{faults}\n  what happened:\n{trace}", scenario.name));
}

/// A directory in memory where the host has one: the proof is about order, and the disk's own time would be most of it.
fn in_a_fresh_place<T>(work: impl FnOnce(&Path) -> T) -> T {
    let memory = PathBuf::from("/dev/shm");
    let parent = if memory.is_dir() { memory } else { std::env::temp_dir() };
    let dir = tempfile::Builder::new().prefix("muster-crash-").tempdir_in(parent);
    let dir = dir.unwrap_or_else(|error| panic!("no directory for the proof: {error}"));
    work(dir.path())
}
