//! Watches of one API server, and the stores that they fill. A look is answered from the stores, so a cluster in which
//! nothing happens is asked for no lists.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::hash::Hash;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event as Warning, Node, Pod, Service};
use kube::runtime::reflector::{self, Store};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource, ResourceExt as _};
use muster_engine::context::ClusterContext;
use muster_engine::failure::Failure;
use muster_engine::words::chain;
use muster_protocol::ErrorCode;
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

use crate::access::Clients;
use crate::digest::digest;
use crate::killed::Killed;
use crate::marks::{self, NAMESPACE};
use crate::observe::ClusterObjects;

/// How long the first lists may take.
const SYNC_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a look waits for a watch that broke off and is being made anew.
const MEND_TIMEOUT: Duration = Duration::from_secs(5);

/// Between a watch that broke off and the next one, twice as long each time that fails in a row.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Called when something is new: a hint to look soon.
pub type LookNow = Arc<dyn Fn() + Send + Sync>;

/// The watches of one server. They end when this is dropped.
pub(crate) struct Watches {
    clients: Arc<Clients>,
    progress: Arc<Progress>,
    nodes: Store<Node>,
    deployments: Store<Deployment>,
    daemon_sets: Store<DaemonSet>,
    jobs: Store<Job>,
    pods: Store<Pod>,
    killed: Arc<Killed>,
    services: Store<Service>,
    warnings: Store<Warning>,
    etcd: Store<Pod>,
    _tasks: JoinSet<()>,
}

impl Watches {
    /// Starts watching.
    pub(crate) fn start(cluster: &ClusterContext, clients: Arc<Clients>, look_now: LookNow) -> Self {
        let progress = Arc::new(Progress { failing: Mutex::default(), ticks: Default::default(), look_now });
        let mut tasks = JoinSet::new();
        let mut spawn = Spawn { tasks: &mut tasks, progress: &progress };
        let client = &clients.streams;
        let ours = watcher::Config::default().labels(&marks::selector_of_cluster(cluster));
        let warnings_only = watcher::Config::default().fields("type=Warning");
        let etcd_only = watcher::Config::default().labels("component=etcd,tier=control-plane");
        let nodes = spawn.watch(Api::<Node>::all(client.clone()), watcher::Config::default(), trim_node);
        let deployments = spawn.watch(Api::<Deployment>::namespaced(client.clone(), NAMESPACE), ours.clone(), |_| {});
        let daemon_sets = spawn.watch(Api::<DaemonSet>::namespaced(client.clone(), NAMESPACE), ours.clone(), |_| {});
        let jobs = spawn.watch(Api::<Job>::namespaced(client.clone(), NAMESPACE), ours.clone(), |_| {});
        let killed = Arc::new(Killed::default());
        let gone = Arc::clone(&killed);
        let our_pods = Api::<Pod>::namespaced(client.clone(), NAMESPACE);
        let pods = spawn.watch_until_gone(our_pods, ours.clone(), |_| {}, move |pod| gone.gone(pod));
        let services = spawn.watch(Api::<Service>::namespaced(client.clone(), NAMESPACE), ours, |_| {});
        let warnings = spawn.watch(Api::<Warning>::namespaced(client.clone(), NAMESPACE), warnings_only, |_| {});
        let etcd = spawn.watch(Api::<Pod>::namespaced(client.clone(), "kube-system"), etcd_only, |_| {});
        Self {
            clients,
            progress,
            nodes,
            deployments,
            daemon_sets,
            jobs,
            pods,
            killed,
            services,
            warnings,
            etcd,
            _tasks: tasks,
        }
    }

    /// Whether these are watches of this server, made with these clients.
    pub(crate) fn are_of(&self, clients: &Arc<Clients>) -> bool {
        Arc::ptr_eq(&self.clients, clients)
    }

    /// The client of small requests.
    pub(crate) fn client(&self) -> &Client {
        &self.clients.requests
    }

    /// Counts the changes that were heard.
    pub(crate) fn ticks(&self) -> tokio::sync::watch::Receiver<u64> {
        self.progress.ticks.subscribe()
    }

    /// The stores' contents, once all are filled and no watch is broken.
    pub(crate) async fn seen(&self) -> Result<ClusterObjects, Failure> {
        let filled = async {
            let _ = tokio::join!(
                self.nodes.wait_until_ready(),
                self.deployments.wait_until_ready(),
                self.daemon_sets.wait_until_ready(),
                self.jobs.wait_until_ready(),
                self.pods.wait_until_ready(),
                self.services.wait_until_ready(),
                self.warnings.wait_until_ready(),
                self.etcd.wait_until_ready(),
            );
        };
        if tokio::time::timeout(SYNC_TIMEOUT, filled).await.is_err() {
            return Err(self.progress.failure().unwrap_or_else(|| {
                Failure::not_applied(ErrorCode::Unreachable, "the API server did not answer the first lists in time")
            }));
        }
        self.mended().await?;
        Ok(self.now())
    }

    /// The stores' contents as they are.
    pub(crate) fn now(&self) -> ClusterObjects {
        ClusterObjects {
            version: None,
            nodes: self.nodes.state(),
            deployments: self.deployments.state(),
            daemon_sets: self.daemon_sets.state(),
            jobs: self.jobs.state(),
            pods: self.pods.state(),
            killed: self.killed.shown(),
            services: self.services.state(),
            warnings: self.warnings.state(),
            etcd: self.etcd.state(),
        }
    }

    /// Waits until no watch is broken. A watch that the server ended is made anew within a second or so.
    async fn mended(&self) -> Result<(), Failure> {
        let mut ticks = self.ticks();
        let mended = async { while self.progress.failure().is_some() && ticks.changed().await.is_ok() {} };
        match tokio::time::timeout(MEND_TIMEOUT, mended).await {
            Ok(()) => Ok(()),
            Err(_) => self.progress.failure().map_or(Ok(()), Err),
        }
    }
}

/// How the watches fare.
struct Progress {
    /// Why watches are broken, by what they watch.
    failing: Mutex<BTreeMap<String, String>>,
    ticks: tokio::sync::watch::Sender<u64>,
    look_now: LookNow,
}

impl Progress {
    fn heard(&self, what: &str, is_new: bool) {
        self.failing().remove(what);
        self.ticks.send_modify(|ticks| *ticks += 1);
        if is_new {
            (self.look_now)();
        }
    }

    fn failed(&self, what: &str, error: &watcher::Error) {
        tracing::debug!(what, error = chain(error), "a watch is broken and is made anew");
        self.failing().insert(what.to_owned(), chain(error));
        self.ticks.send_modify(|ticks| *ticks += 1);
    }

    fn failure(&self) -> Option<Failure> {
        let (what, why) = self.failing().first_key_value().map(|(what, why)| (what.clone(), why.clone()))?;
        Some(Failure::not_applied(ErrorCode::Unreachable, format!("watch the {what}: {why}")))
    }

    fn failing(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        // The map is whole at any time, so a panic elsewhere does not spoil it.
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Spawn<'a> {
    tasks: &'a mut JoinSet<()>,
    progress: &'a Arc<Progress>,
}

impl Spawn<'_> {
    /// Watches one kind. `trim` takes out what nobody reads.
    fn watch<K>(&mut self, api: Api<K>, config: watcher::Config, trim: fn(&mut K)) -> Store<K>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
        K::DynamicType: Hash + Eq,
    {
        self.watch_until_gone(api, config, trim, |_| {})
    }

    /// The same, and `gone` is told the last of each object.
    fn watch_until_gone<K>(
        &mut self,
        api: Api<K>,
        config: watcher::Config,
        trim: fn(&mut K),
        gone: impl Fn(&K) + Send + 'static,
    ) -> Store<K>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
        K::DynamicType: Hash + Eq,
    {
        let (store, mut writer) = reflector::store();
        let progress = Arc::clone(self.progress);
        let what = format!("{} in {}", K::plural(&()), api.namespace().unwrap_or("the cluster"));
        self.tasks.spawn(async move {
            let mut known = News::default();
            let mut pause = FIRST_PAUSE;
            loop {
                let mut events = pin!(watcher(api.clone(), config.clone()));
                while let Some(event) = events.next().await {
                    let event = match event {
                        Ok(event) => event,
                        // A watch that goes on where it broke off says nothing until something happens, so nobody would
                        // know that it is well again. One that begins anew says at once what is there.
                        Err(error) => {
                            progress.failed(&what, &error);
                            break;
                        }
                    };
                    pause = FIRST_PAUSE;
                    let event = event.modify(|object| {
                        object.meta_mut().managed_fields = None;
                        trim(object);
                    });
                    if let Event::Delete(object) = &event {
                        gone(object);
                    }
                    let is_new = known.is_new(&event);
                    writer.apply_watcher_event(&event);
                    progress.heard(&what, is_new);
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        });
        store
    }
}

/// Tells events that say something new from those that only say that somebody is alive.
#[derive(Default)]
struct News(HashMap<String, String>);

impl News {
    fn is_new<K: Resource<DynamicType = ()> + Debug>(&mut self, event: &Event<K>) -> bool {
        match event {
            Event::Apply(object) => {
                let seen = content(object);
                self.0.insert(object.uid().unwrap_or_default(), seen.clone()) != Some(seen)
            }
            Event::InitApply(object) => {
                self.0.insert(object.uid().unwrap_or_default(), content(object));
                false
            }
            Event::Delete(object) => {
                self.0.remove(&object.uid().unwrap_or_default());
                true
            }
            Event::Init => {
                self.0.clear();
                false
            }
            Event::InitDone => true,
        }
    }
}

/// Names what an object says, without its own version.
fn content<K: Resource<DynamicType = ()> + Debug>(object: &K) -> String {
    let text = format!("{object:?}");
    let version = object.resource_version().unwrap_or_default();
    digest([text.replace(&version, "").as_bytes()])
}

/// A node's list of images is long, and its heartbeats are nothing new.
fn trim_node(node: &mut Node) {
    let Some(status) = &mut node.status else { return };
    status.images = None;
    for condition in status.conditions.iter_mut().flatten() {
        condition.last_heartbeat_time = None;
    }
}

#[cfg(test)]
mod tests;
