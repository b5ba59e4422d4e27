//! A simulated framework: a handler that starts the containers itself, in a session, and must forget none of them.
//!
//! The rule that it lives by: a task is kept before it is started, and forgotten only when the orchestrator does not know
//! it. So after a crash every task that may run is in the book, and what is in the book and does not run was never
//! started or has ended. [`next_deed`] is the whole of its judgement.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use muster_protocol::model::container::ContainerPhase;
use muster_protocol::model::service::ServiceMode;
use muster_protocol::{ErrorCode, Name, OperationId, ServiceId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, watch};
use tokio::time::{sleep, timeout};

use super::faults::CallKind;
use super::tasks::Task;
use super::things::Things;
use super::world::SimWorld;
use crate::context::ClusterContext;
use crate::failure::Failure;
use crate::handler::ServiceOrder;
use crate::ledger::{Facts, Present, ResourceKey};
use crate::member::Member;
use crate::observed::{ObservedContainer, ObservedService, OrchestratorView};
use crate::session::{Kept, SessionHost};

/// How long the session waits for an answer of the orchestrator.
const CALL_LIMIT: Duration = Duration::from_secs(10);
/// How often it looks whether all tasks run.
const BETWEEN_ROUNDS: Duration = Duration::from_secs(1);

/// A service as the framework is to run it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct WantedService {
    id: ServiceId,
    generation: u64,
    image: String,
    replicas: u32,
}

/// Everything that must not be forgotten, as it is on disk.
#[derive(Clone, Default)]
struct Book {
    services: BTreeMap<Name, WantedService>,
    tasks: BTreeMap<String, Task>,
}

/// What the session does next.
#[derive(PartialEq, Eq, Debug)]
enum Deed {
    /// Take a task out of the book that does not run.
    Forget(String),
    /// End a task.
    Kill(String),
    /// Start one more copy of this service.
    Launch(Name),
}

/// What the session does next, so that of every service as many tasks run as are wanted; nothing if that is so.
fn next_deed(book: &Book, running: &[Task]) -> Option<Deed> {
    let runs = |id: &str| running.iter().any(|task| task.id == id);
    if let Some(id) = book.tasks.keys().find(|id| !runs(id)) {
        return Some(Deed::Forget(id.clone()));
    }
    let is_of_now = |task: &&Task| {
        book.services.get(&task.service).is_some_and(|service| service.generation == task.generation)
            && book.tasks.contains_key(&task.id)
    };
    if let Some(task) = running.iter().find(|task| !is_of_now(task)) {
        return Some(Deed::Kill(task.id.clone()));
    }
    for (name, service) in &book.services {
        let copies: Vec<&Task> = running.iter().filter(|task| task.service == *name).collect();
        match copies.len().cmp(&usize::try_from(service.replicas).unwrap_or(usize::MAX)) {
            std::cmp::Ordering::Less => return Some(Deed::Launch(name.clone())),
            std::cmp::Ordering::Greater => return copies.last().map(|task| Deed::Kill(task.id.clone())),
            std::cmp::Ordering::Equal => {}
        }
    }
    None
}

/// The framework of one cluster.
pub(super) struct Framework {
    world: SimWorld,
    cluster: Arc<ClusterContext>,
    session: watch::Sender<Option<Arc<FrameworkSession>>>,
}

/// A session that runs.
struct FrameworkSession {
    host: Arc<dyn SessionHost>,
    book: Mutex<Book>,
    /// Told when the book has changed.
    changed: watch::Sender<()>,
}

impl FrameworkSession {
    fn new(host: Arc<dyn SessionHost>, kept: &BTreeMap<String, Kept>) -> Result<Self, Failure> {
        let mut book = Book::default();
        for (key, value) in kept {
            let Kept::Plain(value) = value else { continue };
            if let Some(name) = key.strip_prefix("service/") {
                let name = name.parse().map_err(|_| unreadable(key))?;
                book.services.insert(name, read(key, value)?);
            } else if let Some(id) = key.strip_prefix("task/") {
                book.tasks.insert(id.to_owned(), read(key, value)?);
            }
        }
        Ok(Self { host, book: Mutex::new(book), changed: watch::Sender::new(()) })
    }

    async fn keep_service(&self, name: &Name, wanted: Option<WantedService>) -> Result<(), Failure> {
        let mut book = self.book.lock().await;
        let value = wanted.as_ref().map(written).transpose()?;
        self.host.keep(&format!("service/{name}"), value).await?;
        match wanted {
            Some(wanted) => book.services.insert(name.clone(), wanted),
            None => book.services.remove(name),
        };
        self.changed.send_replace(());
        Ok(())
    }

    /// Keeps a new task of this service, if the service is still wanted.
    async fn keep_new_task(&self, service: &Name) -> Result<Option<Task>, Failure> {
        let mut book = self.book.lock().await;
        let Some(wanted) = book.services.get(service) else { return Ok(None) };
        let id = format!("{service}.{}", OperationId::generate());
        let task = Task { id, service: service.clone(), generation: wanted.generation };
        self.host.keep(&format!("task/{}", task.id), Some(written(&task)?)).await?;
        book.tasks.insert(task.id.clone(), task.clone());
        Ok(Some(task))
    }

    async fn forget_task(&self, id: &str) -> Result<(), Failure> {
        let mut book = self.book.lock().await;
        self.host.keep(&format!("task/{id}"), None).await?;
        book.tasks.remove(id);
        self.changed.send_replace(());
        Ok(())
    }
}

fn written<T: Serialize>(value: &T) -> Result<Kept, Failure> {
    let written = serde_json::to_vec(value).map(Kept::Plain);
    written.map_err(|error| Failure::not_applied(ErrorCode::Internal, error.to_string()))
}

fn read<T: DeserializeOwned>(key: &str, value: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(value).map_err(|_| unreadable(key))
}

fn unreadable(key: &str) -> Failure {
    Failure::not_applied(ErrorCode::Internal, format!("what is kept as {key} cannot be read")).permanent()
}

impl Framework {
    pub(super) fn new(world: SimWorld, cluster: Arc<ClusterContext>) -> Self {
        Self { world, cluster, session: watch::Sender::new(None) }
    }

    /// Runs until something cannot be kept.
    pub(super) async fn session(&self, host: Arc<dyn SessionHost>, kept: &BTreeMap<String, Kept>) -> Failure {
        let session = match FrameworkSession::new(host, kept) {
            Ok(session) => Arc::new(session),
            Err(failure) => return failure,
        };
        self.session.send_replace(Some(session.clone()));
        let (mut members, mut changed) = (session.host.members(), session.changed.subscribe());
        loop {
            let present = members.borrow_and_update().clone();
            changed.borrow_and_update();
            match self.round(&session, &present).await {
                Ok(true) => session.host.look_now(),
                Ok(false) => {
                    tokio::select! {
                        () = sleep(BETWEEN_ROUNDS) => {}
                        _ = changed.changed() => {}
                        gone = members.changed() => if gone.is_err() { sleep(BETWEEN_ROUNDS).await },
                    }
                }
                Err(failure) => return failure,
            }
        }
    }

    /// Does one deed, if there is one to do and the orchestrator answers. Fails only if something cannot be kept.
    async fn round(&self, session: &FrameworkSession, members: &[Member]) -> Result<bool, Failure> {
        let Some(running) = self.call(CallKind::ListTasks, |things, cluster| things.tasks(cluster, members)).await
        else {
            return Ok(false);
        };
        let book = session.book.lock().await.clone();
        let done = match next_deed(&book, &running) {
            None => return Ok(false),
            Some(Deed::Forget(id)) => {
                session.forget_task(&id).await?;
                Some(())
            }
            Some(Deed::Kill(id)) => {
                let is_known = book.tasks.contains_key(&id);
                self.call(CallKind::Kill, |things, cluster| things.kill(cluster, members, &id, is_known)).await
            }
            Some(Deed::Launch(service)) => match session.keep_new_task(&service).await? {
                Some(task) => {
                    self.call(CallKind::Launch, |things, cluster| things.launch(cluster, members, task)).await
                }
                None => Some(()),
            },
        };
        Ok(done.is_some())
    }

    /// A call of the session's own. What goes wrong is tried again in the next round, which looks first.
    async fn call<T>(
        &self,
        kind: CallKind,
        effect: impl FnOnce(&mut Things, muster_protocol::ClusterId) -> Result<T, Failure> + Send,
    ) -> Option<T> {
        let cluster = self.cluster.cluster;
        let call = self.world.call(kind, cluster, None, |things| effect(things, cluster));
        timeout(CALL_LIMIT, call).await.ok()?.ok()
    }

    fn running(&self) -> Result<Arc<FrameworkSession>, Failure> {
        let session = self.session.borrow().clone();
        session.ok_or_else(|| Failure::not_applied(ErrorCode::Unavailable, "the framework's session has not begun yet"))
    }

    pub(super) async fn deploy(&self, members: &[Member], order: &ServiceOrder) -> Result<Present, Failure> {
        let (session, cluster) = (self.running()?, self.cluster.cluster);
        let ServiceOrder { id, generation, spec, .. } = order;
        if spec.mode != ServiceMode::Replicated {
            let message = format!("the simulated framework runs no {} services", spec.mode);
            return Err(Failure::not_applied(ErrorCode::Unsupported, message).permanent());
        }
        let key = ResourceKey::Service(spec.name.clone());
        let effect = |things: &mut Things| things.reach(cluster, members).map(|_| ());
        self.world.call(CallKind::Deploy, cluster, Some(&key), effect).await?;
        let (image, replicas) = (spec.image.clone(), spec.replicas);
        let wanted = WantedService { id: *id, generation: *generation, image, replicas };
        let present = submitted(&wanted);
        session.keep_service(&spec.name, Some(wanted)).await?;
        Ok(present)
    }

    pub(super) async fn look_up_service(&self, members: &[Member], service: &Name) -> Result<Option<Present>, Failure> {
        let (session, cluster) = (self.running()?, self.cluster.cluster);
        let key = ResourceKey::Service(service.clone());
        let effect = |things: &mut Things| things.reach(cluster, members).map(|_| ());
        self.world.call(CallKind::LookUpService, cluster, Some(&key), effect).await?;
        let book = session.book.lock().await;
        Ok(book.services.get(service).map(submitted))
    }

    /// The service is gone when none of its tasks is in the book any more.
    pub(super) async fn remove_service(&self, members: &[Member], service: &Name) -> Result<(), Failure> {
        let (session, cluster) = (self.running()?, self.cluster.cluster);
        let key = ResourceKey::Service(service.clone());
        let effect = |things: &mut Things| things.reach(cluster, members).map(|_| ());
        self.world.call(CallKind::RemoveService, cluster, Some(&key), effect).await?;
        session.keep_service(service, None).await?;
        let mut changed = session.changed.subscribe();
        while session.book.lock().await.tasks.values().any(|task| task.service == *service) {
            // The session holds the sender, and is here.
            let _ = changed.changed().await;
        }
        Ok(())
    }

    /// Adds services and their tasks to what is seen of the nodes.
    pub(super) async fn observe(&self, members: &[Member]) -> Result<OrchestratorView, Failure> {
        let (session, cluster) = (self.running()?, self.cluster.cluster);
        let rollout = self.world.options().rollout;
        let effect = |things: &mut Things| {
            let view = things.view(cluster, members, rollout)?;
            Ok((view, things.tasks(cluster, members)?))
        };
        let (mut view, tasks) = self.world.call(CallKind::ObserveOrchestrator, cluster, None, effect).await?;
        let book = session.book.lock().await;
        for (name, wanted) in &book.services {
            view.services.insert(name.clone(), observed(wanted, tasks.iter().filter(|task| task.service == *name)));
        }
        view.containers.extend(tasks.into_iter().map(|task| container(task, &book)));
        Ok(view)
    }
}

fn submitted(service: &WantedService) -> Present {
    Present { id: service.id.to_string(), facts: Facts::Service { generation: service.generation } }
}

fn observed<'a>(service: &WantedService, tasks: impl Iterator<Item = &'a Task>) -> ObservedService {
    let (new, old): (Vec<&Task>, Vec<&Task>) = tasks.partition(|task| task.generation == service.generation);
    let ready = u32::try_from(new.len()).unwrap_or(u32::MAX);
    ObservedService {
        id: service.id.to_string(),
        generation: service.generation,
        wanted: service.replicas,
        ready,
        updating: !old.is_empty(),
        digest: None,
        image_health: None,
        endpoints: Vec::new(),
        trouble: None,
        under_way: (ready < service.replicas).then(|| format!("{} to be started", service.replicas - ready)),
    }
}

fn container(task: Task, book: &Book) -> ObservedContainer {
    let image = book.services.get(&task.service).map_or_else(String::new, |service| service.image.clone());
    ObservedContainer {
        name: task.id.clone(),
        id: task.id,
        service: task.service,
        machine: None,
        phase: ContainerPhase::Running,
        healthy: None,
        address: None,
        image,
        since: None,
        exit_code: None,
        message: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> Name {
        name.parse().unwrap()
    }

    fn task(id: &str, service: &str, generation: u64) -> Task {
        Task { id: id.to_owned(), service: name(service), generation }
    }

    fn book(replicas: u32, tasks: &[Task]) -> Book {
        let id = ServiceId::from_u128(1);
        let wanted = WantedService { id, generation: 2, image: "app:1".to_owned(), replicas };
        let services = BTreeMap::from([(name("web"), wanted)]);
        Book { services, tasks: tasks.iter().map(|task| (task.id.clone(), task.clone())).collect() }
    }

    #[test]
    fn a_copy_that_lacks_is_started_and_nothing_is_done_when_all_run() {
        let running = [task("a", "web", 2)];
        assert_eq!(next_deed(&book(2, &running), &running), Some(Deed::Launch(name("web"))));
        assert_eq!(next_deed(&book(1, &running), &running), None);
    }

    #[test]
    fn a_task_that_does_not_run_is_forgotten_before_another_is_started() {
        let deed = next_deed(&book(1, &[task("a", "web", 2)]), &[]);
        assert_eq!(deed, Some(Deed::Forget("a".to_owned())));
    }

    #[test]
    fn what_is_too_much_of_an_earlier_generation_or_of_no_service_is_ended() {
        for (wanted, running) in [(1, task("a", "web", 1)), (1, task("a", "gone", 2)), (0, task("a", "web", 2))] {
            let running = [running];
            assert_eq!(next_deed(&book(wanted, &running), &running), Some(Deed::Kill("a".to_owned())));
        }
    }
}
