//! Drives one cluster's state against the simulated world as the daemon's supervisor does, by the same functions of the
//! engine: note what happened in a copy, advance it, write the difference, believe it, make the calls and looks. Only
//! the disk is another, and the clock does not wait.

#![allow(dead_code, reason = "each test file uses its own part of the bench")]

mod check;
mod disk;
pub mod history;
mod outside;
mod random;
pub mod situations;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use muster_engine::action::{Action, Outcome};
use muster_engine::context::ClusterContext;
use muster_engine::cycle::Advance;
use muster_engine::driver::{Driver, Marked, Owned};
use muster_engine::handler::Handler;
use muster_engine::looks::{LookPace, Looks};
use muster_engine::plan::{Plan, plan};
use muster_engine::preparer::Preparer;
use muster_engine::recipe::{Peer, Recipe, Recipes};
use muster_engine::sim::{SimOptions, SimWorld};
use muster_engine::state::{Announcement, ClusterState, Deadlines, NewKeys, Observation, Requested, difference};
use muster_protocol::model::cluster::{ClusterPhase, ClusterSpec};
use muster_protocol::model::host::Role;
use muster_protocol::model::operation::OperationInfo;
use muster_protocol::{ClusterId, InstanceId, OperationId, Principal, ServiceId, Timestamp};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

pub use disk::Disk;
pub use random::Random;

pub const INSTANCE: InstanceId = InstanceId::from_u128(0x1);
pub const CLUSTER: ClusterId = ClusterId::from_u128(0xc1);
const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

const PACE: LookPace = LookPace { when_busy: Duration::from_secs(5), when_idle: Duration::from_secs(60) };
const MOST_CALLS: u64 = 4;

type CallEnd = (Action, Outcome);
type LookEnd = (Observation, Timestamp);

/// See the module.
pub struct Bench {
    pub world: SimWorld,
    pub state: ClusterState,
    pub disk: Disk,
    /// Operations that ended, by id.
    pub ended: BTreeMap<OperationId, OperationInfo>,
    /// Every action begun, in order, and what had been finished before it.
    pub begun: Vec<Action>,
    pub finished: Vec<Action>,
    /// What was announced, in order.
    pub announced: Vec<Announcement>,
    pub random: Random,
    /// How many turns the loop has taken.
    pub turns: u32,
    context: Arc<ClusterContext>,
    driver: Arc<dyn Driver>,
    preparer: Arc<dyn Preparer>,
    handler: Arc<dyn Handler>,
    started: Instant,
    calls: FuturesUnordered<BoxFuture<'static, CallEnd>>,
    cancels: BTreeMap<Action, oneshot::Sender<()>>,
    looks: Looks,
    seen: FuturesUnordered<BoxFuture<'static, LookEnd>>,
    last_operation: u128,
    /// As of the last turn.
    planned: Plan,
}

const OPTIONS: SimOptions = SimOptions {
    listing_lag: Duration::from_secs(5),
    tokens: true,
    rollout: Duration::from_millis(200),
    is_framework: false,
    is_kubeadm: false,
    is_cloud: false,
    step: Duration::ZERO,
    gives_keys_anew: true,
};

impl Bench {
    /// A cluster that was just asked for, in an empty world whose provider knows idempotency tokens.
    pub fn create(control_planes: u32, workers: u32, seed: u64) -> Self {
        Self::create_at(true, control_planes, workers, seed)
    }

    /// A cluster that was just asked for, in an empty world whose provider knows idempotency tokens or not.
    pub fn create_at(tokens: bool, control_planes: u32, workers: u32, seed: u64) -> Self {
        Self::create_in(SimOptions { tokens, ..OPTIONS }, control_planes, workers, seed)
    }

    /// As [`Bench::create`], where machines stand on what a public cloud has them stand on.
    pub fn create_on_a_cloud(control_planes: u32, workers: u32, seed: u64) -> Self {
        Self::create_in(SimOptions { is_cloud: true, ..OPTIONS }, control_planes, workers, seed)
    }

    fn create_in(options: SimOptions, control_planes: u32, workers: u32, seed: u64) -> Self {
        let world = SimWorld::new(options);
        let spec = situations::spec(control_planes, workers);
        let (driver, preparer) = (world.driver(), world.preparer());
        let material = preparer.material(&spec).unwrap();
        let context = Arc::new(ClusterContext { instance: INSTANCE, cluster: CLUSTER, spec: spec.clone(), material });
        let handler = world.handler(context.clone());
        let deadlines = Deadlines { listing_lag: driver.listing_lag(), ..Deadlines::default() };
        let asked = Requested { operation: OperationId::from_u128(1), by: Principal::user("root"), at: START };
        let state = ClusterState::create(CLUSTER, spec, world.blueprint(), deadlines, asked);
        let disk = Disk::of_new(&state);
        Self {
            world,
            state,
            disk,
            ended: BTreeMap::new(),
            begun: Vec::new(),
            finished: Vec::new(),
            announced: Vec::new(),
            random: Random::new(seed),
            turns: 0,
            context,
            driver,
            preparer,
            handler,
            started: Instant::now(),
            calls: FuturesUnordered::new(),
            cancels: BTreeMap::new(),
            looks: Looks::new(PACE, START),
            seen: FuturesUnordered::new(),
            last_operation: 1,
            planned: Plan::default(),
        }
    }

    pub fn now(&self) -> Timestamp {
        START + self.started.elapsed()
    }

    pub fn plan(&self) -> Plan {
        plan(&self.state, self.now())
    }

    pub fn phase(&self) -> ClusterPhase {
        self.state.record.phase
    }

    pub fn asked(&mut self) -> Requested {
        self.last_operation += 1;
        Requested {
            operation: OperationId::from_u128(self.last_operation),
            by: Principal::user("root"),
            at: self.now(),
        }
    }

    pub fn new_service_id(&mut self) -> ServiceId {
        ServiceId::from_u128(u128::from(self.random.next()))
    }

    /// Makes a request; a refused one changes nothing.
    pub fn ask<T, E>(&mut self, request: impl FnOnce(&mut ClusterState, Requested) -> Result<T, E>) -> Result<T, E> {
        let asked = self.asked();
        let mut next = self.state.clone();
        let answer = request(&mut next, asked)?;
        self.advance_from(next);
        Ok(answer)
    }

    /// The plan of a request, as it is shown before it is made: it is made on a copy.
    pub fn preview<T, E: std::fmt::Debug>(
        &mut self,
        request: impl FnOnce(&mut ClusterState, Requested) -> Result<T, E>,
    ) -> Plan {
        let asked = self.asked();
        let mut copy = self.state.clone();
        request(&mut copy, asked).unwrap();
        copy.settle(self.now())
    }

    /// How an operation ended; none while it runs.
    pub fn end_of(&self, operation: &OperationInfo) -> Option<&OperationInfo> {
        self.ended.get(&operation.id)
    }

    /// The daemon dies and comes back: only the disk and the world remain.
    pub fn crash(&mut self) {
        self.calls = FuturesUnordered::new();
        self.seen = FuturesUnordered::new();
        self.cancels.clear();
        self.looks = Looks::new(PACE, self.now());
        self.planned = Plan::default();
        self.state = self.disk.load(self.state.blueprint.clone(), self.state.deadlines);
    }

    /// The daemon dies and its store is lost: only the marks of what is in the world remain, and the cluster is recovered
    /// from them.
    pub async fn lose_store(&mut self, keys: NewKeys) {
        self.crash();
        let marked = self.driver.list_marked().await.unwrap();
        let ours: Vec<Marked> = marked.into_iter().filter(|marked| marked.instance == INSTANCE).collect();
        let spec = ours.iter().find_map(|marked| marked.spec.clone()).unwrap();
        let found: Vec<Owned> = ours.into_iter().map(|marked| marked.owned).collect();
        let (blueprint, deadlines) = (self.state.blueprint.clone(), self.state.deadlines);
        self.state = ClusterState::recovered(CLUSTER, &spec, &found, keys, blueprint, deadlines, self.now());
        self.keep_what_was_set();
    }

    /// A release of Muster with another recipe starts, and the cluster adopts the recipe.
    pub fn adopt(&mut self, revision: &str) {
        self.offer(revision);
        // A cluster that is being deleted adopts nothing.
        let _ = self.ask(|state, asked| state.admit_upgrade(None, asked));
    }

    /// A release of Muster with another recipe starts.
    pub fn offer(&mut self, revision: &str) {
        self.state.blueprint.recipes = Arc::new(OtherRecipes(revision.to_owned()));
    }

    /// A test has set the state by hand: the disk says so too, and its plan is made anew.
    pub fn keep_what_was_set(&mut self) {
        self.disk = Disk::of_new(&self.state);
        self.planned = self.plan();
    }

    /// Lets the loop run for so long.
    pub async fn run_for(&mut self, duration: Duration) {
        let end = Instant::now() + duration;
        while Instant::now() < end {
            self.turn(end).await;
        }
    }

    /// Lets the loop run until this holds, or so long at most. Whether it came to hold.
    pub async fn run_until(&mut self, limit: Duration, holds: impl Fn(&Self) -> bool) -> bool {
        let end = Instant::now() + limit;
        while Instant::now() < end {
            self.advance();
            if holds(self) {
                return true;
            }
            self.turn(end).await;
        }
        holds(self)
    }

    async fn turn(&mut self, end: Instant) {
        self.turns += 1;
        self.advance();
        let wake = self.wake().min(end);
        tokio::select! {
            Some((action, outcome)) = self.calls.next() => self.note_result(action, outcome),
            Some((observation, began)) = self.seen.next() => {
                self.looks.note_seen(&observation);
                let mut next = self.state.clone();
                next.observe(observation, began, self.now());
                self.advance_from(next);
            }
            () = sleep_until(wake) => {}
        }
    }

    fn wake(&self) -> Instant {
        let now = self.now();
        let wait = self.state.wakes_at(&self.planned, &self.looks, now).since(now);
        Instant::now() + wait.max(Duration::from_millis(1))
    }

    fn note_result(&mut self, action: Action, outcome: Outcome) {
        self.cancels.remove(&action);
        assert!(self.state.in_flight[&action.key()].action == action, "`{action}` ends that was not begun");
        self.looks.note_result(&outcome, self.now());
        let mut next = self.state.clone();
        next.finish(&action, outcome, self.now());
        self.finished.push(action);
        self.advance_from(next);
    }

    /// As when a time comes.
    pub fn advance(&mut self) {
        self.advance_from(self.state.clone());
    }

    /// What the supervisor does with every change: advances, writes all that at once, breaks off what is not wanted any
    /// more, makes the calls, looks if that is due.
    fn advance_from(&mut self, next: ClusterState) {
        let now = self.now();
        self.check_rest(&next);
        // Not always is there room for everything that may be begun.
        let calls = 1 + usize::try_from(self.random.below(MOST_CALLS)).unwrap();
        let Advance { next, plan, begun, unwanted } = next.advance(&self.state, &self.planned, calls, now);
        self.planned = plan;
        self.commit(next);
        for action in unwanted {
            if let Some(cancel) = self.cancels.remove(&action) {
                let _ = cancel.send(());
            }
        }
        for begun in begun {
            self.begun.push(begun.action.clone());
            self.start(begun);
        }
        for look in self.looks.due(&self.state, &self.planned, now) {
            self.look(look, now);
        }
    }

    /// Writes the difference and believes it; and checks what must hold of every state.
    fn commit(&mut self, mut next: ClusterState) {
        let changes = difference(&self.state, &next);
        let changed = !changes.is_empty();
        self.disk.write(changes);
        self.announced.extend(next.outbox.iter().cloned());
        for operation in next.note_written() {
            let before = self.ended.insert(operation.id, operation);
            assert_eq!(before, None, "an operation ended twice");
        }
        self.state = next;
        self.disk.assert_says(&self.state);
        if changed {
            self.check();
        }
    }
}

/// What another release of Muster prepares machines with.
struct OtherRecipes(String);

impl Recipes for OtherRecipes {
    fn offered(&self, spec: &ClusterSpec) -> Recipe {
        Recipe { version: spec.version.clone(), revision: self.0.clone() }
    }

    fn peers(&self, _spec: &ClusterSpec, _role: Role, _peers: &[Peer], _endpoint: Option<&str>) -> String {
        String::new()
    }

    fn name_peers(&self) -> bool {
        false
    }
}
