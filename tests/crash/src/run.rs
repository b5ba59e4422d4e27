//! One scenario with one disturbance, and the verdict.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use muster_engine::desired::machine_name;
use muster_engine::ledger::{InfraKey, ResourceKey};
use muster_engine::sim::{Fault, NETWORK, SimOptions, SimWorld, every, nth};
use muster_protocol::model::host::Role;
use muster_protocol::model::operation::OperationPhase;
use muster_protocol::{ErrorCode, InstanceId, OperationId, Request};
use musterd::clock::Clock;
use tokio::time::Instant;

use super::account::Keys;
use super::client::{Client, key_of};
use super::disturbance::{Disturbance, REFUSED_WRITES};
use super::ending::PATIENCE;
use super::process::Process;
use super::scenario::Scenario;
use super::stop::Stop;
use super::verdict::{Count, Verdict};

/// What stays the same while daemons come and go.
pub struct Story<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) world: SimWorld,
    keys: Keys,
    stop: Arc<Stop>,
    pub(super) client: Client,
    dir: &'a Path,
    /// The answer to the change, if there was one: its operation, if it has one.
    change: Option<Option<OperationId>>,
    /// The last operation that is about the story, as soon as its interruption was answered too.
    interrupted: Option<Option<OperationId>>,
    /// In which of the change's steps it is interrupted, counted from 1.
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

/// Runs a scenario. `half` is half the number of the change's steps, for scenarios with something in the middle.
pub fn run(scenario: &Scenario, disturbance: Disturbance, half: u64, dir: &Path) -> Verdict {
    // The weakest infrastructure there is: whoever asks it twice gets two.
    let world = SimWorld::new(SimOptions {
        listing_lag: disturbance.listing_lag(),
        tokens: false,
        is_cloud: scenario.is_cloud,
        is_framework: scenario.is_framework,
        is_kubeadm: scenario.is_kubeadm,
        // Long enough for a step to outlive whoever began it.
        step: Duration::from_secs(1),
        ..SimOptions::default()
    });
    let (stop, client) = (Arc::new(Stop::default()), Client::new(disturbance.forgives()));
    let mut story = Story {
        scenario,
        world,
        keys: Keys::default(),
        stop,
        client,
        dir,
        change: None,
        interrupted: None,
        half,
        seeded: false,
        time: StoryTime::default(),
    };
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
        let process = Process::start(self.dir, (&self.world, &self.keys), &self.stop, clock).await?;
        if life == 1 {
            self.set_out(&process).await?;
            self.disturb(disturbance);
        } else {
            verdict.lost.extend(self.broken_promises(&process, "after the crash").await?);
        }
        let calls_before = self.world.calls();
        let phase = self.tell(&process, life).await?;
        let end = self.scenario.end_after(phase);
        verdict.helped |= self.come_to_the_end(&process, phase, end, disturbance).await?;
        verdict.beyond_return = process.has_lost_quorum();
        verdict.count = Count {
            points: self.stop.points(),
            calls: self.world.calls() - calls_before,
            steps: self.stop.steps(),
            writes: self.stop.writes(),
        };
        self.stop.disarm();
        self.world.clear_faults();
        self.world.set_hook(None);
        self.judge(&process, end, verdict).await?;
        process.stop().await;
        Ok(())
    }

    /// What is asked for before the part under proof.
    async fn set_out(&mut self, process: &Process) -> Result<(), String> {
        let before = &self.scenario.before;
        for (number, request) in before.iter().enumerate() {
            let refused = self.scenario.refused.filter(|_| number + 1 == before.len());
            if let Some(kind) = refused {
                let for_good = Fault::Refused { code: ErrorCode::Quota, permanent: true };
                self.world.inject(every(move |call| call.kind == kind, for_good));
            }
            let Some(operation) = self.ask(process, request).await? else { continue };
            let phase = self.until_ended(process, operation).await?;
            let expected = if refused.is_some() { OperationPhase::Failed } else { OperationPhase::Succeeded };
            if phase != expected {
                return Err(format!("before the story, {} {phase}", request.operation_id()));
            }
        }
        self.world.clear_faults();
        if self.scenario.loses_a_control_plane {
            self.lose_a_control_plane(process).await?;
        }
        Ok(())
    }

    /// Takes the last control plane's machine away, and waits until that is noticed.
    async fn lose_a_control_plane(&self, process: &Process) -> Result<(), String> {
        let key = ResourceKey::for_machine(machine_name(Role::ControlPlane, 3));
        let cluster = process.cluster().ok_or("there is no cluster")?;
        let machine = cluster.ledger.get(&key).and_then(|entry| entry.present()).ok_or("it has no such machine")?;
        if !self.world.lose(cluster.id(), &machine.id) {
            return Err(format!("{key} is not there"));
        }
        let begin = self.scenario.begin.as_ref();
        let noticed = tokio::time::timeout(PATIENCE, process.until(|process| !process.stands(begin))).await;
        noticed.map_err(|_| format!("nobody notices that {key} is lost"))
    }

    /// Asks, and puts things of others beside the cluster as soon as there is one: they look like ours and are not.
    async fn ask(&mut self, process: &Process, request: &Request) -> Result<Option<OperationId>, String> {
        let key = if let Request::AccountAdd { spec } = request { key_of(spec) } else { None };
        if let Some(key) = &key {
            self.keys.take(key);
        }
        let asked = tokio::time::timeout(PATIENCE, self.client.ask(process, request)).await;
        let operation = asked.map_err(|_| format!("{} is never answered", request.operation_id()))??;
        if let Some(key) = &key {
            self.keys.take_only(key);
        }
        if let (false, Some(cluster)) = (self.seeded, process.cluster()) {
            let (ours, other) = (cluster.id(), InstanceId::from_u128(7));
            for looks_like in
                [ResourceKey::Infra(InfraKey::only(NETWORK)), ResourceKey::for_machine(machine_name(Role::Worker, 1))]
            {
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
        self.stop.take_time_at(if life == 1 { self.half } else { 0 });
        let change = match self.change {
            Some(change) => change,
            None => {
                let change = self.ask(process, &self.scenario.change).await?;
                *self.change.insert(change)
            }
        };
        // What is about an account alone has no operation, and is done when it is answered.
        let Some(change) = change else { return Ok(OperationPhase::Succeeded) };
        let last = match (self.scenario.interruption, self.interrupted) {
            (None, _) => None,
            (Some(_), Some(interrupted)) => interrupted,
            (Some(interruption), None) => {
                if life == 1 {
                    // A change that goes wrong may end before.
                    tokio::select! {
                        () = self.stop.until_steps(self.half) => {}
                        ended = self.until_ended(process, change) => drop(ended?),
                    }
                }
                let asked = self.ask(process, &interruption.request(change)).await?;
                *self.interrupted.insert(asked)
            }
        };
        self.until_ended(process, last.unwrap_or(change)).await
    }
}
