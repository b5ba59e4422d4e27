//! Runs cases, a few at a time, and counts.

use std::collections::BTreeSet;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use futures::{FutureExt, StreamExt, stream};

use crate::case::{Case, Turn};
use crate::cases;
use crate::stage::Stage;
use crate::verdict::{Totals, Verdict};
use crate::world::World;

/// A case that hangs is given up after so many times of the stage's patience.
const GIVEN_UP_AFTER: u32 = 4;

/// How a case ended.
pub struct Ended {
    /// The noun or field.
    pub about: &'static str,
    /// The case.
    pub name: &'static str,
    /// How it ended.
    pub verdict: Verdict,
    /// How long it took.
    pub took: Duration,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let case = format!("{}: {} ({:.1} s)", self.about, self.name, self.took.as_secs_f32());
        match &self.verdict {
            Verdict::Passed => write!(f, "passed       {case}"),
            Verdict::Unsupported(field) => write!(f, "unsupported  {case}: {field}"),
            Verdict::Gap(reason) => write!(f, "gap          {case}: {reason}"),
            Verdict::Failed(why) => write!(f, "FAILED       {case}: {why}"),
        }
    }
}

/// Which cases are run.
#[derive(Clone, Copy, Debug)]
pub enum Which<'a> {
    /// All of them.
    All,
    /// Those about this, or with this in their name.
    Only(&'a str),
    /// Those about what an infrastructure delivers.
    OfInfrastructure,
}

impl Which<'_> {
    fn has(self, case: &Case) -> bool {
        match self {
            Self::All => true,
            Self::Only(word) => case.about == word || case.name.contains(word),
            Self::OfInfrastructure => case.is_of_infrastructure(),
        }
    }
}

/// Runs cases, and tells each end.
pub async fn run(stage: &Stage, which: Which<'_>, tell: impl Fn(&Ended)) -> (Vec<Ended>, Totals) {
    let is_meant = |case: &Case| which.has(case) && case.is_for(stage.orchestrator);
    // Numbers are places in the whole table, so that a case has the same names and ports in every run.
    let numbered = cases::all().into_iter().zip(1_u16..).filter(|(case, _)| is_meant(case));
    let (beside, alone): (Vec<_>, Vec<_>) = numbered.partition(|(case, _)| case.turn == Turn::Beside);
    let mut ended = Vec::new();
    let mut totals = Totals::default();
    let turns = [(beside, stage.at_once), (alone, 1)];
    for (cases, at_once) in turns {
        let mut ends = stream::iter(cases).map(|(case, number)| perform(stage, case, number)).buffer_unordered(at_once);
        while let Some(end) = ends.next().await {
            totals.count(&end.verdict);
            tell(&end);
            ended.push(end);
        }
    }
    (ended, totals)
}

async fn perform(stage: &Stage, case: Case, number: u16) -> Ended {
    let began = Instant::now();
    let made = Arc::new(Mutex::new(BTreeSet::new()));
    let world = stage.world(number, Arc::clone(&made));
    let limit = world.patience * GIVEN_UP_AFTER;
    // A check that panics is a case that fails, and no end of the run.
    let checked = AssertUnwindSafe(tokio::time::timeout(limit, case.check(world.clone()))).catch_unwind().await;
    let ended = match checked {
        Ok(Ok(ended)) => ended,
        Ok(Err(_)) => Err(anyhow!("given up after {} s", limit.as_secs())),
        Err(_) => Err(anyhow!("it panicked")),
    };
    let ended = match clean_up(&world).await {
        Ok(()) => ended,
        Err(error) => ended.and(Err(error)),
    };
    let verdict = Verdict::of(case.name, stage.orchestrator, stage.infrastructure, &ended);
    Ended { about: case.about, name: case.name, verdict, took: began.elapsed() }
}

/// Removes what the case has made. The room is needed by others, and its own clean end is not what the case is about, so
/// nobody waits for it.
async fn clean_up(world: &World) -> Result<()> {
    let made = world.made.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for service in made {
        match world.client.service_delete(&world.cluster, &service, None).await {
            Ok(_) => {}
            Err(error) if error.code() == muster_client::protocol::ErrorCode::NotFound => {}
            // The case may have removed the cluster.
            Err(error) if error.code() == muster_client::protocol::ErrorCode::Conflict => {}
            Err(error) => return Err(error).with_context(|| format!("cannot remove {service}")),
        }
    }
    Ok(())
}
