//! Tasks: swarm's word for the copies of a service.

use bollard::models::{Task, TaskState};
use muster_engine::failure::Failure;
use muster_protocol::Timestamp;
use serde::Deserialize;

use crate::connect::Engine;
use crate::services::NETWORK;

/// A task, with the addresses that the typed API leaves out.
#[derive(Deserialize, Default)]
pub(crate) struct SeenTask {
    #[serde(flatten)]
    pub(crate) task: Task,
    #[serde(rename = "NetworksAttachments", default)]
    attachments: Option<Vec<Attachment>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attachment {
    network: Option<AttachedNetwork>,
    addresses: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AttachedNetwork {
    spec: Option<NetworkSpec>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NetworkSpec {
    name: Option<String>,
}

/// All tasks of the swarm, those that ended lately among them.
pub(crate) async fn list(manager: &Engine) -> Result<Vec<SeenTask>, Failure> {
    manager.get("/tasks", "list the tasks").await
}

impl SeenTask {
    pub(crate) fn id(&self) -> &str {
        self.task.id.as_deref().unwrap_or_default()
    }

    pub(crate) fn service_id(&self) -> &str {
        self.task.service_id.as_deref().unwrap_or_default()
    }

    pub(crate) fn node_id(&self) -> Option<&str> {
        self.task.node_id.as_deref().filter(|id| !id.is_empty())
    }

    /// Its place among the service's copies: a number, or for a global service the node.
    pub(crate) fn place(&self) -> (i64, &str) {
        match self.task.slot {
            Some(slot) if slot > 0 => (slot, ""),
            Some(_) | None => (0, self.node_id().unwrap_or_default()),
        }
    }

    /// How it is; a task without a state is new.
    pub(crate) fn state(&self) -> TaskState {
        self.task.status.as_ref().and_then(|status| status.state).unwrap_or(TaskState::NEW)
    }

    /// Whether swarm wants it to run (or, for a job, to complete).
    pub(crate) fn is_wanted(&self) -> bool {
        match self.task.desired_state {
            Some(
                TaskState::SHUTDOWN | TaskState::REMOVE | TaskState::FAILED | TaskState::REJECTED | TaskState::ORPHANED,
            ) => false,
            Some(
                TaskState::NEW
                | TaskState::ALLOCATED
                | TaskState::PENDING
                | TaskState::ASSIGNED
                | TaskState::ACCEPTED
                | TaskState::PREPARING
                | TaskState::READY
                | TaskState::STARTING
                | TaskState::RUNNING
                | TaskState::COMPLETE,
            )
            | None => true,
        }
    }

    /// Whether it has ended, for whatever reason.
    pub(crate) fn has_ended(&self) -> bool {
        match self.state() {
            TaskState::COMPLETE
            | TaskState::SHUTDOWN
            | TaskState::FAILED
            | TaskState::REJECTED
            | TaskState::REMOVE
            | TaskState::ORPHANED => true,
            TaskState::NEW
            | TaskState::ALLOCATED
            | TaskState::PENDING
            | TaskState::ASSIGNED
            | TaskState::ACCEPTED
            | TaskState::PREPARING
            | TaskState::READY
            | TaskState::STARTING
            | TaskState::RUNNING => false,
        }
    }

    /// Whether it neither runs yet nor has ended.
    pub(crate) fn is_on_its_way(&self) -> bool {
        self.state() != TaskState::RUNNING && !self.has_ended()
    }

    /// Since when it is in its state.
    pub(crate) fn since(&self) -> Option<Timestamp> {
        self.task.status.as_ref()?.timestamp.as_ref()?.parse().ok()
    }

    /// What the engine says went wrong.
    pub(crate) fn error(&self) -> Option<&str> {
        self.task.status.as_ref()?.err.as_deref().filter(|error| !error.is_empty())
    }

    /// With which code its container ended.
    pub(crate) fn exit_code(&self) -> Option<i64> {
        if !self.has_ended() {
            return None;
        }
        let container = self.task.status.as_ref()?.container_status.as_ref()?;
        // Without a container the engine says 0 all the same.
        container.container_id.as_deref().filter(|id| !id.is_empty())?;
        container.exit_code
    }

    /// Its address on the cluster's network, without the length of the network's prefix.
    pub(crate) fn address(&self) -> Option<String> {
        let with_length = self.address_with_length()?;
        Some(with_length.split('/').next().unwrap_or(with_length).to_owned())
    }

    /// Its address on the cluster's network: `10.0.1.7/24`.
    pub(super) fn address_with_length(&self) -> Option<&str> {
        let on_ours = |one: &&Attachment| {
            let name = one.network.as_ref().and_then(|network| network.spec.as_ref()?.name.as_deref());
            name == Some(NETWORK)
        };
        let addresses = self.attachments.iter().flatten().find(on_ours)?.addresses.as_ref()?;
        addresses.first().map(String::as_str)
    }
}
