//! The board: what readers see. Supervisors pin up immutable snapshots; the gateway reads them and never waits for a busy actor.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, RwLock};

use muster_engine::plan::Plan;
use muster_engine::state::ClusterState;
use muster_protocol::model::operation::OperationInfo;
use muster_protocol::{Cause, ClusterId, Error, ErrorCode, Name, OperationId};
use ractor::ActorRef;
use tokio::sync::watch;

use crate::cluster::message::SupervisorMessage;

/// What is pinned up of one cluster.
#[derive(Clone)]
pub struct Pinned {
    /// Its state as of its last write.
    pub state: Arc<ClusterState>,
    /// What is done about it, as of that time; none before its supervisor has begun.
    pub plan: Option<Arc<Plan>>,
    /// Its supervisor; none while that is starting (again).
    pub supervisor: Option<ActorRef<SupervisorMessage>>,
    /// Why the daemon cannot take care of it as it should, if that is so.
    pub trouble: Option<Cause>,
}

/// A cluster as it is on disk, and why the daemon cannot take care of it, if that is so.
pub struct OnDisk {
    /// Its state.
    pub state: Arc<ClusterState>,
    /// The trouble.
    pub trouble: Option<Cause>,
}

/// Decodes a cluster from what is on disk.
pub type Decode = Box<dyn FnOnce() -> OnDisk + Send>;

/// What hangs there of one cluster.
#[derive(Clone)]
struct Entry {
    content: Content,
    supervisor: Option<ActorRef<SupervisorMessage>>,
    trouble: Option<Cause>,
}

#[derive(Clone)]
enum Content {
    /// As it is on disk, decoded when somebody first looks at it.
    Stored(Arc<LazyLock<OnDisk, Decode>>),
    /// As its supervisor knows it.
    Known(Arc<ClusterState>, Option<Arc<Plan>>),
}

impl Entry {
    /// Takes time, if nobody has looked at the cluster yet: not to be called with a lock held.
    fn pinned(self) -> Pinned {
        let Self { content, supervisor, trouble } = self;
        match content {
            Content::Known(state, plan) => Pinned { state, plan, supervisor, trouble },
            Content::Stored(stored) => {
                let OnDisk { state, trouble: found } = LazyLock::force(&stored);
                // Of a cluster that is in trouble nothing is done.
                let plan = found.as_ref().map(|_| Arc::default());
                Pinned { state: state.clone(), plan, supervisor, trouble: trouble.or_else(|| found.clone()) }
            }
        }
    }
}

/// All snapshots. Locks are held for moments only, and never across an await.
#[derive(Default)]
pub struct Board {
    clusters: RwLock<Clusters>,
    operations: RwLock<BTreeMap<OperationId, OperationInfo>>,
    watched: Mutex<HashMap<OperationId, watch::Sender<OperationInfo>>>,
}

#[derive(Default)]
struct Clusters {
    by_id: BTreeMap<ClusterId, Entry>,
    /// The cluster of each name. A released one keeps its name while anything of it may be left: it must be reached.
    by_name: BTreeMap<Name, ClusterId>,
    /// Names of clusters that are just being written.
    reserved: HashSet<Name>,
}

/// Keeps a name for a cluster that is being written; gives it back when dropped.
pub struct NameReservation<'a> {
    board: &'a Board,
    name: Name,
}

impl Drop for NameReservation<'_> {
    fn drop(&mut self) {
        self.board.write_clusters().reserved.remove(&self.name);
    }
}

impl Board {
    /// Keeps a name for a new cluster, if it is free.
    pub fn reserve(&self, name: &Name) -> Result<NameReservation<'_>, Error> {
        let mut clusters = self.write_clusters();
        if clusters.by_name.contains_key(name) || !clusters.reserved.insert(name.clone()) {
            return Err(Error::new(ErrorCode::AlreadyExists, format!("cluster `{name}` exists already"))
                .with_remedy("choose another name, or see it with `muster cluster info`"));
        }
        Ok(NameReservation { board: self, name: name.clone() })
    }

    /// Pins up a cluster's state, what is done about it, and the operations in it.
    pub fn publish(&self, state: Arc<ClusterState>, plan: Option<Arc<Plan>>) {
        for operation in state.operations.values() {
            self.publish_operation(&operation.info);
        }
        let (id, name) = (state.id(), state.desired().spec.name.clone());
        self.hang_up(id, name, Content::Known(state, plan));
    }

    /// Pins up a cluster that is on disk and that nobody has looked at yet.
    pub fn publish_stored(&self, id: ClusterId, name: Name, decode: Decode) {
        self.hang_up(id, name, Content::Stored(Arc::new(LazyLock::new(decode))));
    }

    fn hang_up(&self, id: ClusterId, name: Name, content: Content) {
        let mut clusters = self.write_clusters();
        clusters.by_name.entry(name).or_insert(id);
        let before = clusters.by_id.remove(&id);
        let (supervisor, trouble) = before.map_or((None, None), |entry| (entry.supervisor, entry.trouble));
        clusters.by_id.insert(id, Entry { content, supervisor, trouble });
    }

    /// Says who supervises a cluster now.
    pub fn set_supervisor(&self, cluster: ClusterId, supervisor: Option<ActorRef<SupervisorMessage>>) {
        if let Some(entry) = self.write_clusters().by_id.get_mut(&cluster) {
            entry.supervisor = supervisor;
        }
    }

    /// Says why the daemon cannot take care of a cluster as it should, or that it can.
    pub fn set_trouble(&self, cluster: ClusterId, trouble: Option<Cause>) {
        let mut clusters = self.write_clusters();
        let Some(entry) = clusters.by_id.get_mut(&cluster) else { return };
        // What is tried again and fails for the same reason has its trouble since the first time.
        let text = |trouble: &Option<Cause>| trouble.as_ref().map(|cause| cause.message.clone());
        if text(&entry.trouble) != text(&trouble) {
            entry.trouble = trouble;
        }
    }

    /// Takes a cluster down that is gone.
    pub fn remove(&self, cluster: ClusterId) {
        let mut clusters = self.write_clusters();
        clusters.by_id.remove(&cluster);
        clusters.by_name.retain(|_, id| *id != cluster);
    }

    /// The cluster of this name.
    pub fn cluster(&self, name: &Name) -> Result<Pinned, Error> {
        let entry = self.read_clusters().entry_named(name);
        entry.map(Entry::pinned).ok_or_else(|| Error::not_found("cluster", name))
    }

    /// The cluster of this id.
    pub fn cluster_by_id(&self, id: ClusterId) -> Option<Pinned> {
        let entry = self.read_clusters().by_id.get(&id).cloned();
        entry.map(Entry::pinned)
    }

    /// Clusters behind this name and id whose names are wanted, in the order of names; at most `limit`.
    pub fn page(
        &self,
        after: Option<&(Name, ClusterId)>,
        limit: usize,
        is_wanted: impl Fn(&Name) -> bool,
    ) -> Vec<Pinned> {
        let entries: Vec<Entry> = {
            let clusters = self.read_clusters();
            let is_behind = |name: &Name, id: &ClusterId| after.is_none_or(|(last, of)| (name, id) > (last, of));
            let wanted = clusters.by_name.iter().filter(|(name, id)| is_wanted(name) && is_behind(name, id));
            wanted.filter_map(|(_, id)| clusters.by_id.get(id)).take(limit).cloned().collect()
        };
        entries.into_iter().map(Entry::pinned).collect()
    }

    /// All clusters, in the order of their ids.
    pub fn all(&self) -> Vec<Pinned> {
        let entries: Vec<Entry> = self.read_clusters().by_id.values().cloned().collect();
        entries.into_iter().map(Entry::pinned).collect()
    }

    /// Pins up an operation, and tells those who watch it.
    pub fn publish_operation(&self, info: &OperationInfo) {
        {
            let mut operations = self.operations.write().unwrap_or_else(PoisonError::into_inner);
            if operations.get(&info.id) == Some(info) {
                return;
            }
            operations.insert(info.id, info.clone());
        }
        let mut watched = self.lock_watched();
        if let Some(sender) = watched.get(&info.id) {
            // Without receivers nobody watches any more.
            if sender.send(info.clone()).is_err() || info.phase.is_ended() {
                watched.remove(&info.id);
            }
        }
    }

    /// One operation.
    pub fn operation(&self, id: OperationId) -> Result<OperationInfo, Error> {
        let operations = self.operations.read().unwrap_or_else(PoisonError::into_inner);
        operations.get(&id).cloned().ok_or_else(|| Error::not_found("operation", id))
    }

    /// The wanted operations before this one, newest first.
    pub fn operations(
        &self,
        before: Option<OperationId>,
        limit: usize,
        is_wanted: impl Fn(&OperationInfo) -> bool,
    ) -> Vec<OperationInfo> {
        let operations = self.operations.read().unwrap_or_else(PoisonError::into_inner);
        let newest_first = operations.values().rev();
        let wanted = newest_first.filter(|info| before.is_none_or(|before| info.id < before) && is_wanted(info));
        wanted.take(limit).cloned().collect()
    }

    /// The cluster that has this name, or that had it last, as far as an operation of it is remembered.
    pub fn latest_named(&self, name: &Name) -> Option<ClusterId> {
        let present = self.read_clusters().by_name.get(name).copied();
        present.or_else(|| self.operations(None, 1, |info| &info.cluster == name).first().map(|info| info.cluster_id))
    }

    /// Takes operations out that the collector has forgotten.
    pub fn forget_operations(&self, forgotten: &[OperationId]) {
        let mut operations = self.operations.write().unwrap_or_else(PoisonError::into_inner);
        for id in forgotten {
            operations.remove(id);
        }
    }

    /// The operation now, and a receiver that has every later state of it but those that were overtaken.
    pub fn watch(&self, id: OperationId) -> Result<watch::Receiver<OperationInfo>, Error> {
        let mut watched = self.lock_watched();
        // Read while nobody can publish to watchers, so that nothing is missed between.
        let info = self.operation(id)?;
        if let Some(sender) = watched.get(&id) {
            return Ok(sender.subscribe());
        }
        let (sender, receiver) = watch::channel(info.clone());
        if !info.phase.is_ended() {
            watched.insert(id, sender);
        }
        Ok(receiver)
    }

    fn read_clusters(&self) -> std::sync::RwLockReadGuard<'_, Clusters> {
        self.clusters.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_clusters(&self) -> std::sync::RwLockWriteGuard<'_, Clusters> {
        self.clusters.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_watched(&self) -> MutexGuard<'_, HashMap<OperationId, watch::Sender<OperationInfo>>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clusters {
    fn entry_named(&self, name: &Name) -> Option<Entry> {
        self.by_name.get(name).and_then(|id| self.by_id.get(id)).cloned()
    }
}

#[cfg(test)]
mod tests {
    use muster_engine::desired::{ClusterRecord, Desired};
    use muster_engine::recipe::Recipe;
    use muster_engine::sim::{SimOptions, SimWorld};
    use muster_engine::state::Deadlines;
    use muster_protocol::Timestamp;
    use muster_protocol::model::cluster::{ClusterPhase, ClusterSpec, Infrastructure, Orchestrator};

    use super::*;

    fn released(name: &str) -> Arc<ClusterState> {
        let spec = ClusterSpec::new(name.parse().unwrap(), Orchestrator::Sim, Infrastructure::Sim);
        let record = ClusterRecord {
            id: ClusterId::generate(),
            desired: Desired { generation: 2, spec, absent: true },
            phase: ClusterPhase::Released,
            phase_since: Timestamp::default(),
            was_ready: true,
            created_at: Timestamp::default(),
            removal_deadline: Some(Timestamp::default()),
            swept: false,
            recipe: Recipe::default(),
            renewal: 0,
        };
        let blueprint = SimWorld::new(SimOptions::default()).blueprint();
        Arc::new(ClusterState::loaded(record, blueprint, Deadlines::default()))
    }

    #[test]
    fn a_released_cluster_keeps_its_name_until_nothing_is_left_of_it() {
        let board = Board::default();
        let cluster = released("demo");
        let name = &cluster.desired().spec.name;
        board.publish(cluster.clone(), None);
        assert_eq!(board.reserve(name).err().map(|refusal| refusal.code), Some(ErrorCode::AlreadyExists));
        assert_eq!(board.cluster(name).unwrap().state.id(), cluster.id(), "it can be looked at, retried and deleted");
        assert_eq!(board.page(None, 10, |_| true).len(), 1);
        board.remove(cluster.id());
        assert!(board.reserve(name).is_ok());
    }
}
