//! One scenario with one disturbance, and the verdict.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use muster_engine::desired::machine_name;
use muster_engine::ledger::ResourceKey;
use muster_engine::sim::{SimOptions, SimWorld, nth};
use muster_protocol::model::host::Role;
use muster_protocol::model::operation::OperationPhase;
use muster_protocol::{InstanceId, OperationId, Request};
use musterd::clock::Clock;
use tokio::time::Instant;

use super::client::Client;
use super::disturbance::{Disturbance, REFUSED_WRITES};
use super::process::Process;
use super::scenario::{self, Scenario};
use super::stop::Stop;
use super::verdict::{Count, Verdict};

/// Longer than any deadline in the daemon: who is not done by then is stuck.
const PATIENCE: Duration = Duration::from_secs(4 * 3600);

/// How long the last look may take, and services after another try.
const AFTER_LOOK: Duration = Duration::from_secs(600);

/// What stays the same while daemons come and go.
struct Story<'a> {
    scenario: &'a Scenario,
    world: SimWorld,
    stop: Arc<Stop>,
    client: Client,
    dir: &'a Path,
    /// How many of the requests under proof were answered.
    answered: usize,
    /// After how many calls of the change the deletion is asked for.
    half: u64,
    /// Whether things of others stand beside the cluster.
    seeded: bool,
    /// The story's time, which goes on while daemons come and go.
    time: StoryTime,
}

/// Each life has a runtime of its own, whose paused clock starts anew; the story's time must not jump back with it.
#[derive(Default)]
struct StoryTime {
    began: Option<Instant>,
    last: Option<Instant>,
}

impl StoryTime {
    /// The clock for the next life: a second later than the last one was seen alive.
    async fn next_life(&mut self) -> Clock {
        let now = Instant::now();
        if let Some(last) = self.last.filter(|last| *last > now) {
            tokio::time::advance(last - now).await;
        }
        tokio::time::advance(Duration::from_secs(1)).await;
        Clock::Tokio { started: *self.began.get_or_insert(now) }
    }
}

/// Runs a scenario. `half` is half the number of the change's calls, for scenarios with a deletion in the middle.
pub fn run(scenario: &Scenario, disturbance: Disturbance, half: u64, dir: &Path) -> Verdict {
    // The weakest infrastructure there is: whoever asks it twice gets two.
    let world =
        SimWorld::new(SimOptions { listing_lag: disturbance.listing_lag(), tokens: false, ..SimOptions::default() });
    let (stop, client) = (Arc::new(Stop::default()), Client::new(disturbance.forgives()));
    let mut story =
        Story { scenario, world, stop, client, dir, answered: 0, half, seeded: false, time: StoryTime::default() };
    let mut verdict = Verdict::default();
    let mut lives = 0;
    loop {
        lives += 1;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        let runtime = runtime.unwrap_or_else(|error| panic!("no runtime: {error}"));
        let ended = runtime.block_on(async {
            let stop = story.stop.clone();
            let ended = tokio::select! {
                biased;
                () = stop.reached() => None,
                result = story.live(disturbance, lives, &mut verdict) => Some(result),
            };
            story.time.last = Some(Instant::now());
            ended
        });
        // Here the process dies: whatever it was doing is cut off.
        drop(runtime);
        match ended {
            Some(Ok(())) => break,
            Some(Err(stuck)) => {
                verdict.stuck.push(stuck);
                break;
            }
            None => story.stop.disarm(),
        }
        assert!(lives < 4, "a process stops twice at most");
    }
    verdict.trace = story.stop.trace();
    verdict.asked_again = story.client.has_asked_again();
    verdict
}

impl Story<'_> {
    /// One life of the daemon: goes on with the story where it stands.
    async fn live(&mut self, disturbance: Disturbance, life: u32, verdict: &mut Verdict) -> Result<(), String> {
        let clock = self.time.next_life().await;
        if let (Disturbance::CrashTwice(_, then), 2) = (disturbance, life) {
            self.stop.arm(Some(then));
        }
        let process = Process::start(self.dir, &self.world, &self.stop, clock).await?;
        if life == 1 {
            for request in &self.scenario.before {
                let operation = self.ask(&process, request).await?;
                self.until_ended(&process, operation).await?;
            }
            self.disturb(disturbance);
        } else {
            for operation in self.client.acknowledged() {
                if !process.knows(operation) {
                    verdict
                        .lost
                        .push(format!("operation {operation} was acknowledged and is not known after the crash"));
                }
            }
        }
        let calls_before = self.world.calls();
        let phase = self.tell(&process, life).await?;
        verdict.helped |= self.come_to_the_end(&process, phase, disturbance).await?;
        verdict.count =
            Count { points: self.stop.points(), calls: self.world.calls() - calls_before, writes: self.stop.writes() };
        self.stop.disarm();
        self.world.clear_faults();
        self.world.set_hook(None);
        self.judge(&process, verdict).await?;
        process.stop().await;
        Ok(())
    }

    /// Asks, and puts things of others beside the cluster as soon as there is one: they look like ours and are not.
    async fn ask(&mut self, process: &Process, request: &Request) -> Result<OperationId, String> {
        let operation = self.client.ask(process, request).await?;
        if let (false, Some(cluster)) = (self.seeded, process.cluster()) {
            let (ours, other) = (cluster.id(), InstanceId::from_u128(7));
            for looks_like in [ResourceKey::Network, ResourceKey::Machine(machine_name(Role::Worker, 1))] {
                self.world.seed_foreign(ours, None, looks_like.clone());
                self.world.seed_foreign(ours, Some((other, ours)), looks_like);
            }
            self.seeded = true;
        }
        Ok(operation)
    }

    fn disturb(&self, disturbance: Disturbance) {
        self.world.set_hook(Some(self.stop.clone()));
        self.stop.arm(match disturbance {
            Disturbance::Crash(at) | Disturbance::CrashTwice(at, _) => Some(at),
            Disturbance::None | Disturbance::Fault(..) | Disturbance::FullDisk(_) => None,
        });
        if let Disturbance::FullDisk(first) = disturbance {
            self.stop.refuse(first..first + REFUSED_WRITES);
        }
        if let Disturbance::Fault(call, fault) = disturbance {
            self.world.inject(nth(|_| true, call, fault));
        }
    }

    /// The part under proof: what of it was not answered yet is asked for, and how it ends is waited for.
    async fn tell(&mut self, process: &Process, life: u32) -> Result<OperationPhase, String> {
        let begin = self.world.calls();
        if self.answered == 0 {
            self.ask(process, &self.scenario.change).await?;
            self.answered = 1;
        }
        if self.scenario.undeleted.is_some() && self.answered == 1 {
            if life == 1 {
                self.until_calls(process, begin + self.half).await?;
            }
            self.ask(process, &scenario::delete()).await?;
            self.answered = 2;
        }
        let last = self.client.acknowledged().last().copied().ok_or("nothing was acknowledged")?;
        self.until_ended(process, last).await
    }

    /// Waits until everything is as asked for, which it must become by itself; only after a refusal for good may somebody
    /// mend its reason and try again, once. Whether that was needed.
    async fn come_to_the_end(
        &self,
        process: &Process,
        phase: OperationPhase,
        disturbance: Disturbance,
    ) -> Result<bool, String> {
        let succeeded = phase == OperationPhase::Succeeded;
        if succeeded && self.scenario.machines.is_none() {
            self.until_gone(process).await?;
            return Ok(false);
        }
        if succeeded {
            // A daemon that was started again has to look first.
            let _ = tokio::time::timeout(AFTER_LOOK, process.until_as_asked(self.scenario)).await;
        }
        if succeeded && process.is_as_asked(self.scenario) {
            return Ok(false);
        }
        if !disturbance.is_permanent() {
            return Err(format!("the operation {phase}, and nobody may help: {}", process.describe()));
        }
        let operation = self.client.ask(process, &scenario::retry()).await?;
        let phase = self.until_ended(process, operation).await?;
        // The cluster may be as asked for before its services are.
        let _ = tokio::time::timeout(AFTER_LOOK, process.until_as_asked(self.scenario)).await;
        if phase == OperationPhase::Succeeded && process.is_as_asked(self.scenario) {
            return Ok(true);
        }
        Err(format!("tried again, the operation {phase} and all is not as asked for: {}", process.describe()))
    }

    async fn until_gone(&self, process: &Process) -> Result<(), String> {
        let gone = tokio::time::timeout(PATIENCE, process.until_gone()).await;
        gone.map_err(|_| format!("the cluster does not go: {}", process.describe()))
    }

    async fn until_ended(&self, process: &Process, operation: OperationId) -> Result<OperationPhase, String> {
        let ended = tokio::time::timeout(PATIENCE, process.until_ended(operation)).await;
        ended.map_err(|_| format!("operation {operation} does not end: {}", process.describe()))
    }

    /// Waits until the change is half done, or done.
    async fn until_calls(&self, process: &Process, calls: u64) -> Result<(), String> {
        let half = async {
            while self.world.calls() < calls {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let done = async {
            if let Some(operation) = self.client.acknowledged().last() {
                process.until_ended(*operation).await;
            }
        };
        let either = async {
            tokio::select! {
                () = half => {}
                () = done => {}
            }
        };
        let reached = tokio::time::timeout(PATIENCE, either).await;
        reached.map_err(|_| format!("the change does not get half done: {}", process.describe()))
    }

    /// Looks at what is there, then deletes everything and looks again.
    async fn judge(&self, process: &Process, verdict: &mut Verdict) -> Result<(), String> {
        for operation in self.client.acknowledged() {
            if !process.knows(operation) {
                verdict.lost.push(format!("operation {operation} was acknowledged and is not known at the end"));
            }
            self.until_ended(process, operation).await?;
        }
        if let Some(cluster) = process.cluster() {
            let there = self.world.resources(process.instance(), cluster.id());
            let machines = there.iter().filter(|(key, _)| key.to_string().starts_with("machine/")).count();
            let wanted = usize::try_from(self.scenario.machines.unwrap_or(0)).unwrap_or(usize::MAX);
            if machines > wanted {
                verdict.orphans.push(format!("{machines} machines are there, {wanted} were asked for: {there:?}"));
            }
            let audit = self.world.audit(process.instance(), &[cluster.id()]);
            verdict.orphans.extend(audit.orphans);
            let operation = self.client.ask(process, &scenario::delete()).await?;
            self.until_ended(process, operation).await?;
            self.until_gone(process).await?;
        }
        let audit = self.world.audit(process.instance(), &[]);
        verdict.orphans.extend(audit.orphans);
        verdict.duplicates.extend(audit.duplicates);
        verdict.duplicates.extend(audit.second_clusters);
        verdict.wrong_deletes.extend(audit.wrong_deletes);
        verdict.wrong_deletes.extend(audit.quorum_breaks);
        Ok(())
    }
}
