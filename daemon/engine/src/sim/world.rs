//! The one world that all twins of a daemon share. It outlives the daemon: in memory for as long as a test
//! holds it, and on disk if it was opened there.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use muster_protocol::model::host::Role;
use muster_protocol::{ClusterId, ErrorCode, InstanceId, Name};
use tokio::sync::watch;
use tokio::time::Instant;

use super::audit::Audit;
use super::driver::SimDriver;
use super::faults::{Call, CallKind, Decide, Fault, Hook, Moment};
use super::handler::SimHandler;
use super::journal::Locked;
use super::preparer::SimPreparer;
use super::state::{Change, Marks, Resource, SimState, number_of, resource_id};
use super::things::Things;
use crate::blueprint::Blueprint;
use crate::context::ClusterContext;
use crate::driver::Driver;
use crate::failure::Failure;
use crate::handler::Handler;
use crate::ledger::ResourceKey;
use crate::preparer::Preparer;
use crate::rollout::OneAfterTheOther;

/// How the world behaves when nothing goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SimOptions {
    /// How long listings may lag behind, as the driver declares it. They do only by [`Fault::LateListing`].
    pub listing_lag: Duration,
    /// Whether a creation with a token that was used is the creation that used it. Without (as at Cloudit), it makes a second thing.
    pub tokens: bool,
    /// How long it takes until all copies of a service are up.
    pub rollout: Duration,
    /// Whether machines stand on what a public cloud has them stand on, rather than on a network only.
    pub is_cloud: bool,
    /// Whether the orchestrator knows tasks only, which a framework starts, rather than services.
    pub is_framework: bool,
    /// Whether the orchestrator is one that kubeadm installs: machines name their control planes, and its rules of upgrades
    /// hold.
    pub is_kubeadm: bool,
    /// How long a step on a machine takes. It goes on when its caller is gone.
    pub step: Duration,
    /// Whether machines can be given other keys than they were made with.
    pub gives_keys_anew: bool,
}

impl Default for SimOptions {
    fn default() -> Self {
        Self {
            listing_lag: Duration::ZERO,
            tokens: true,
            rollout: Duration::from_millis(200),
            is_cloud: false,
            is_framework: false,
            is_kubeadm: false,
            step: Duration::ZERO,
            gives_keys_anew: true,
        }
    }
}

/// A handle to the world. Clones are handles to the same one.
#[derive(Clone)]
pub struct SimWorld {
    shared: Arc<SharedWorld>,
}

struct SharedWorld {
    options: SimOptions,
    blueprint: OnceLock<Blueprint>,
    /// Until the world is read, if it is kept on disk.
    journal: Mutex<Option<Locked>>,
    /// Set when the world was read.
    things: OnceLock<Mutex<Things>>,
    opening: watch::Sender<Opening>,
    control: Mutex<Control>,
}

/// How far the reading of a world is.
#[derive(Clone, Debug)]
enum Opening {
    UnderWay,
    Done,
    /// It cannot be read, for this cause.
    Failed(String),
}

/// What tests have set up.
#[derive(Default)]
struct Control {
    calls: u64,
    decides: Vec<Decide>,
    hook: Option<Arc<dyn Hook>>,
    history: Option<Vec<Call>>,
}

impl SimWorld {
    /// A new, empty world in memory.
    pub fn new(options: SimOptions) -> Self {
        let world = Self::unread(options);
        world.begin(Things::new(SimState::default(), None));
        world
    }

    /// The world that is kept in this file; a new one if there is no such file. It is read when it is first needed: only that
    /// the file is in use is an error at once.
    pub fn open(path: &Path, options: SimOptions) -> io::Result<Self> {
        let world = Self::unread(options);
        *world.unread_journal() = Some(Locked::new(path)?);
        Ok(world)
    }

    fn unread(options: SimOptions) -> Self {
        let (opening, _) = watch::channel(Opening::UnderWay);
        let (blueprint, journal, things, control) = <_>::default();
        Self { shared: Arc::new(SharedWorld { options, blueprint, journal, things, opening, control }) }
    }

    /// Reads the world. Blocking.
    fn read(&self, journal: &Locked) {
        match journal.open() {
            Ok((journal, state)) => self.begin(Things::new(state, Some(journal))),
            Err(error) => {
                let cause = format!("cannot read {}; move it away: {error}", journal.path().display());
                self.shared.opening.send_replace(Opening::Failed(cause));
            }
        }
    }

    fn unread_journal(&self) -> MutexGuard<'_, Option<Locked>> {
        self.shared.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, things: Things) {
        // Called once, by whoever has read the world.
        let _ = self.shared.things.set(Mutex::new(things));
        self.shared.opening.send_replace(Opening::Done);
    }

    /// Done when the world was read; the cause if it cannot be.
    pub async fn opened(&self) -> Result<(), String> {
        if self.shared.things.get().is_some() {
            return Ok(());
        }
        if let Some(journal) = self.unread_journal().take() {
            let (world, reader) = (self.clone(), self.clone());
            // A task of its own: whoever began it may go away, and others wait for it.
            tokio::spawn(async move {
                if tokio::task::spawn_blocking(move || reader.read(&journal)).await.is_err() {
                    let cause = "the reading of the simulated world broke off by a mistake in Muster".to_owned();
                    world.shared.opening.send_replace(Opening::Failed(cause));
                }
            });
        }
        let mut opening = self.shared.opening.subscribe();
        let ended = opening.wait_for(|opening| !matches!(opening, Opening::UnderWay)).await;
        match ended.as_deref() {
            Ok(Opening::Failed(cause)) => Err(cause.clone()),
            Ok(Opening::Done | Opening::UnderWay) | Err(_) => Ok(()),
        }
    }

    /// The infrastructure.
    pub fn driver(&self) -> Arc<dyn Driver> {
        Arc::new(SimDriver::new(self.clone()))
    }

    /// The preparer of its machines.
    pub fn preparer(&self) -> Arc<dyn Preparer> {
        Arc::new(SimPreparer::new(self.clone()))
    }

    /// What the kinds of this world say about every cluster.
    pub fn blueprint(&self) -> Blueprint {
        self.shared.blueprint.get_or_init(|| self.new_blueprint()).clone()
    }

    fn new_blueprint(&self) -> Blueprint {
        // A world of its own that shares nothing but the options: the twins' pure side asks for nothing else.
        let options = SimWorld::new(self.shared.options);
        Blueprint {
            needs: Arc::new(SimDriver::new(options.clone())),
            recipes: Arc::new(SimPreparer::new(options)),
            rollout: Arc::new(OneAfterTheOther),
        }
    }

    /// The orchestrator of one cluster.
    pub fn handler(&self, cluster: Arc<ClusterContext>) -> Arc<dyn Handler> {
        Arc::new(SimHandler::new(self.clone(), cluster))
    }

    /// Lets calls go wrong as `decide` says. Of several, the one set first that says something counts.
    pub fn inject(&self, decide: impl FnMut(&Call) -> Option<Fault> + Send + 'static) {
        self.control().decides.push(Box::new(decide));
    }

    /// Nothing goes wrong from now on.
    pub fn clear_faults(&self) {
        self.control().decides.clear();
    }

    /// Tells this hook of every call from now on.
    pub fn set_hook(&self, hook: Option<Arc<dyn Hook>>) {
        self.control().hook = hook;
    }

    /// Keeps the calls from now on, for [`SimWorld::history`].
    pub fn keep_history(&self) {
        self.control().history.get_or_insert_default();
    }

    /// The calls since [`SimWorld::keep_history`], in the order in which they were made.
    pub fn history(&self) -> Vec<Call> {
        self.control().history.clone().unwrap_or_default()
    }

    /// How many calls there were.
    pub fn calls(&self) -> u64 {
        self.control().calls
    }

    /// What went wrong so far, if only clusters of `live` should have anything left.
    pub fn audit(&self, instance: InstanceId, live: &[ClusterId]) -> Audit {
        Audit::of(&self.things().state, instance, live)
    }

    /// What there is with this cluster's marks, by key and id. Also what is not listed yet.
    pub fn resources(&self, instance: InstanceId, cluster: ClusterId) -> Vec<(ResourceKey, String)> {
        let things = self.things();
        let bucket = things.state.clusters.get(&cluster);
        let all = bucket.into_iter().flat_map(|bucket| &bucket.resources);
        let ours = all.filter(|(_, resource)| resource.marks == Some(Marks { instance, cluster }));
        ours.map(|(id, resource)| (resource.name.clone(), resource_id(*id))).collect()
    }

    /// The copies of each service that a framework has started and that run.
    pub fn copies(&self, cluster: ClusterId) -> BTreeMap<Name, u32> {
        let things = self.things();
        let mut copies = BTreeMap::new();
        let formed = things.bucket(cluster).into_iter().flat_map(|bucket| bucket.orchestrators.values());
        for task in formed.flat_map(|formed| formed.tasks.values()) {
            *copies.entry(task.service.clone()).or_default() += 1;
        }
        copies
    }

    /// Puts something of others beside a cluster: with the marks of that owner, or of none, under any name. Its id.
    pub fn seed_foreign(
        &self,
        beside: ClusterId,
        owner: Option<(InstanceId, ClusterId)>,
        looks_like: ResourceKey,
    ) -> String {
        let mut things = self.things();
        let id = things.state.next_id;
        let marks = owner.map(|(instance, cluster)| Marks { instance, cluster });
        let visible_from = Instant::now();
        // No token of ours was used for it.
        let attempt = u32::MAX;
        let (steps, stands_on, spec) = (BTreeMap::new(), Vec::new(), Arc::default());
        let resource = Resource {
            name: looks_like,
            marks,
            attempt,
            running: true,
            faltered: false,
            spec,
            stands_on,
            steps,
            visible_from,
        };
        things.apply(Change::Resource { cluster: beside, id, now: Some(resource) });
        resource_id(id)
    }

    /// Lets a network or machine vanish, as if by somebody else's hand or a fire. Whether it was there.
    pub fn lose(&self, cluster: ClusterId, id: &str) -> bool {
        let mut things = self.things();
        let Some(id) = number_of(id) else { return false };
        let there = things.bucket(cluster).is_some_and(|bucket| bucket.resources.contains_key(&id));
        if there {
            things.take_away(cluster, id);
        }
        there
    }

    /// For so long the account reaches another place: nothing of the cluster is listed or found, and all of it lives.
    pub fn put_out_of_sight(&self, cluster: ClusterId, time: Duration) {
        self.things().listed_from(cluster, Instant::now() + time);
    }

    /// Stops a machine, as if by somebody else's hand. Whether it is there.
    pub fn stop(&self, cluster: ClusterId, id: &str) -> bool {
        self.change(cluster, id, |resource| resource.running = false)
    }

    /// Stops the container engine of a machine that runs on, as if by somebody else's hand. Whether it is there.
    pub fn falter(&self, cluster: ClusterId, id: &str) -> bool {
        self.change(cluster, id, |resource| resource.faltered = true)
    }

    fn change(&self, cluster: ClusterId, id: &str, change: impl FnOnce(&mut Resource)) -> bool {
        let mut things = self.things();
        let Some(id) = number_of(id) else { return false };
        let resource = things.bucket(cluster).and_then(|bucket| bucket.resources.get(&id)).cloned();
        let Some(mut resource) = resource else { return false };
        change(&mut resource);
        things.apply(Change::Resource { cluster, id, now: Some(resource) });
        true
    }

    /// Promotes or demotes the machine's node, as if by somebody else's hand. Whether the orchestrator lets it.
    pub fn change_role(&self, cluster: ClusterId, machine: &Name, role: Role) -> bool {
        self.things().change_role(cluster, machine, role)
    }

    /// Takes the machine's node out of the orchestrator's cluster, as if by somebody else's hand. Whether the orchestrator lets it.
    pub fn strike_off(&self, cluster: ClusterId, machine: &Name) -> bool {
        self.things().strike_off(cluster, machine)
    }

    /// Takes a service off the orchestrator, as if by somebody else's hand. Whether it was there.
    pub fn take_off(&self, cluster: ClusterId, service: &Name) -> bool {
        self.things().take_off(cluster, service)
    }

    /// What kind of world it is.
    pub fn options(&self) -> SimOptions {
        self.shared.options
    }

    /// The one door: every call comes through here, and its faults and hooks with it.
    pub(super) async fn call<T>(
        &self,
        kind: CallKind,
        cluster: ClusterId,
        key: Option<&ResourceKey>,
        effect: impl FnOnce(&mut Things) -> Result<T, Failure> + Send,
    ) -> Result<T, Failure> {
        self.opened().await.map_err(|cause| Failure::not_applied(ErrorCode::Internal, cause))?;
        let (call, fault, hook) = self.note(kind, cluster, key);
        if let Some(hook) = &hook {
            hook.at(Moment::Before, &call).await;
        }
        let result = self.perform(fault, effect).await;
        if let Some(hook) = &hook {
            hook.at(Moment::After, &call).await;
        }
        result
    }

    fn note(
        &self,
        kind: CallKind,
        cluster: ClusterId,
        key: Option<&ResourceKey>,
    ) -> (Call, Option<Fault>, Option<Arc<dyn Hook>>) {
        let mut control = self.control();
        let call = Call { number: control.calls, kind, cluster, key: key.cloned() };
        control.calls += 1;
        if let Some(history) = &mut control.history {
            history.push(call.clone());
        }
        let fault = control.decides.iter_mut().find_map(|decide| decide(&call));
        (call, fault, control.hook.clone())
    }

    async fn perform<T>(
        &self,
        fault: Option<Fault>,
        effect: impl FnOnce(&mut Things) -> Result<T, Failure> + Send,
    ) -> Result<T, Failure> {
        let no_answer = || Failure::maybe_applied(ErrorCode::Unreachable, "the connection broke before the answer");
        match fault {
            None => self.things().carry_out(effect),
            Some(Fault::LateListing(lag)) => self.things().listing_late_by(lag, effect),
            Some(Fault::Slow(duration)) => {
                tokio::time::sleep(duration).await;
                self.things().carry_out(effect)
            }
            Some(Fault::LostAndListedLate(lag)) => {
                let unheard = self.things().listing_late_by(lag, effect);
                drop(unheard);
                Err(no_answer())
            }
            Some(Fault::LostRequest) => Err(no_answer()),
            Some(Fault::LostAnswer) => {
                // Whether it worked or was refused: nobody hears of it.
                self.things().carry_out(effect).map_or_else(|_| Err(no_answer()), |_| Err(no_answer()))
            }
            Some(Fault::Hang { applied }) => {
                if applied {
                    let unheard = self.things().carry_out(effect);
                    drop(unheard);
                }
                std::future::pending().await
            }
            Some(Fault::Refused { code, permanent }) => {
                let failure = Failure::not_applied(code, "refused by a fault of the simulated world")
                    .with_provider_code("SimRefused")
                    .with_remedy("retry once the fault is taken away");
                Err(if permanent { failure.permanent() } else { failure })
            }
            Some(Fault::Throttled { retry_after }) => {
                let mut failure = Failure::not_applied(ErrorCode::Throttled, "too many calls at once");
                failure.retry_after = Some(retry_after);
                Err(failure)
            }
        }
    }

    // Calls wait for [`SimWorld::opened`] first. Tests do too if their world lies on disk: others would block here.
    // A panic while a lock is held is a broken test or twin; the data is whole, each change being one step.
    pub(super) fn things(&self) -> MutexGuard<'_, Things> {
        self.shared.things.wait().lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn control(&self) -> MutexGuard<'_, Control> {
        self.shared.control.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
