//! What a framework starts on the simulated orchestrator by itself, as on Mesos: the orchestrator knows tasks and no
//! services. It starts what it is told to, as often as it is told to, and only notes when it should not have been.

use muster_protocol::{ClusterId, Name};
use serde::{Deserialize, Serialize};

use super::audit::Violation;
use super::state::Change;
use super::things::Things;
use crate::failure::Failure;
use crate::member::Member;

/// A task that runs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Task {
    /// The framework's name for it.
    pub(super) id: String,
    /// The service that it is a copy of.
    pub(super) service: Name,
    /// Of which generation.
    pub(super) generation: u64,
}

impl Things {
    /// The tasks that run.
    pub(super) fn tasks(&self, cluster: ClusterId, members: &[Member]) -> Result<Vec<Task>, Failure> {
        let formed = self.reach(cluster, members)?;
        let tasks = self.formed(cluster, formed).map(|(_, formed)| formed.tasks.values().cloned().collect());
        Ok(tasks.unwrap_or_default())
    }

    /// Starts a task. A second one of the same id is started beside the first.
    pub(super) fn launch(&mut self, cluster: ClusterId, members: &[Member], task: Task) -> Result<(), Failure> {
        let orchestrator = self.reach(cluster, members)?;
        let before = self.formed(cluster, orchestrator).is_some_and(|(_, formed)| formed.launched.contains(&task.id));
        if before {
            self.note(Violation::Duplicate(format!("task {} was started twice", task.id)));
        }
        let id = self.next_id();
        self.apply(Change::Task { cluster, orchestrator, id, now: Some(task) });
        Ok(())
    }

    /// Ends all tasks of this id. One that the framework did not know of was started before it was kept.
    pub(super) fn kill(
        &mut self,
        cluster: ClusterId,
        members: &[Member],
        task: &str,
        is_known: bool,
    ) -> Result<(), Failure> {
        let orchestrator = self.reach(cluster, members)?;
        if !is_known {
            self.note(Violation::Duplicate(format!("task {task} ran and its framework did not know of it")));
        }
        let tasks = self.formed(cluster, orchestrator).into_iter().flat_map(|(_, formed)| &formed.tasks);
        let meant: Vec<u64> = tasks.filter(|(_, running)| running.id == task).map(|(id, _)| *id).collect();
        for id in meant {
            self.apply(Change::Task { cluster, orchestrator, id, now: None });
        }
        Ok(())
    }
}
