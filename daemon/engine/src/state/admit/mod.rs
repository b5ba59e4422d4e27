//! Requests: how each changes what is asked for. Nothing is changed if a request is refused.
//!
//! Here only what needs the cluster's present state is checked. What can be checked without it
//! is checked by [`crate::validate`] and [`crate::handler::Handler::validate`] before.
//! What follows from a request is found by [`ClusterState::settle`]; an operation may end with it.

mod operation;
mod service;

use muster_protocol::model::cluster::{ClusterPhase, ClusterSpec};
use muster_protocol::model::operation::{OperationInfo, OperationKind, OperationPhase};
use muster_protocol::{ClusterId, Error, ErrorCode, OperationId, Principal, Timestamp};

use super::{ClusterState, Deadlines};
use crate::blueprint::Blueprint;
use crate::desired::{ClusterRecord, Desired};
use crate::operation::{OperationRecord, Target};

pub use service::ServiceChange;

/// Who asks for a change, when, and under which id it is kept.
#[derive(Clone, Debug)]
pub struct Requested {
    /// The id of its record.
    pub operation: OperationId,
    /// Who.
    pub by: Principal,
    /// When.
    pub at: Timestamp,
}

impl ClusterState {
    /// A cluster that was just asked for.
    pub fn create(
        id: ClusterId,
        spec: ClusterSpec,
        blueprint: Blueprint,
        deadlines: Deadlines,
        asked: Requested,
    ) -> Self {
        let recipe = blueprint.recipes.offered(&spec);
        let record = ClusterRecord {
            id,
            desired: Desired { generation: 1, spec, absent: false },
            phase: ClusterPhase::Creating,
            phase_since: asked.at,
            was_ready: false,
            created_at: asked.at,
            removal_deadline: None,
            swept: false,
            recipe,
            renewal: 0,
        };
        let mut state = Self::loaded(record, blueprint, deadlines);
        let target = Target::Cluster { before: None };
        state.start_operation(OperationKind::ClusterCreate, target, Vec::new(), deadlines.cluster, asked);
        state
    }

    /// Changes the numbers of machines.
    pub fn admit_scale(
        &mut self,
        control_planes: Option<u32>,
        workers: Option<u32>,
        asked: Requested,
    ) -> Result<OperationInfo, Error> {
        self.refuse_if_leaving()?;
        let mut spec = self.desired().spec.clone();
        spec.control_planes = control_planes.unwrap_or(spec.control_planes);
        spec.workers = workers.unwrap_or(spec.workers);
        crate::validate::cluster(&spec)?;
        self.supersede_cluster_operations(&asked);
        let before = self.record.desired.clone();
        // The same again is no change of what is asked for.
        let generation = before.generation + u64::from(spec != before.spec);
        self.record.desired = Desired { generation, spec, absent: false };
        self.forget_all_failures();
        let target = Target::Cluster { before: Some(before) };
        Ok(self.admitted(OperationKind::ClusterScale, target, Vec::new(), self.deadlines.cluster, asked))
    }

    /// Brings the machines to another version of the orchestrator, or to the recipe that this release of Muster offers.
    /// Whether the version can follow the present one is for the roll-out policy to say, in the plan.
    pub fn admit_upgrade(&mut self, version: Option<String>, asked: Requested) -> Result<OperationInfo, Error> {
        self.refuse_if_leaving()?;
        let mut spec = self.desired().spec.clone();
        spec.version = version.or(spec.version);
        self.supersede_cluster_operations(&asked);
        let before = self.record.desired.clone();
        self.record.recipe = self.blueprint.recipes.offered(&spec);
        self.record.desired = Desired { generation: before.generation + 1, spec, absent: false };
        self.forget_all_failures();
        let target = Target::Cluster { before: Some(before) };
        Ok(self.admitted(OperationKind::ClusterUpgrade, target, Vec::new(), self.deadlines.cluster, asked))
    }

    /// Gives the machines new certificates, one after the other.
    pub fn admit_renew(&mut self, asked: Requested) -> Result<OperationInfo, Error> {
        self.refuse_if_leaving()?;
        self.supersede_cluster_operations(&asked);
        self.record.renewal += 1;
        self.forget_all_failures();
        let target = Target::Cluster { before: Some(self.record.desired.clone()) };
        Ok(self.admitted(OperationKind::ClusterRenew, target, Vec::new(), self.deadlines.cluster, asked))
    }

    /// Removes the cluster. Asked for again, it is the same removal.
    pub fn admit_delete(&mut self, asked: Requested) -> Result<OperationInfo, Error> {
        let running = self.running_operations().find(|operation| operation.info.kind == OperationKind::ClusterDelete);
        if let Some(operation) = running {
            return Ok(operation.info.clone());
        }
        let all: Vec<OperationId> = self.running_operations().map(|operation| operation.info.id).collect();
        self.supersede(&all, &asked);
        let before = self.record.desired.clone();
        self.leave(asked.at);
        let target = Target::Cluster { before: Some(before) };
        Ok(self.admitted(OperationKind::ClusterDelete, target, Vec::new(), self.deadlines.removal, asked))
    }

    /// Tries again now what failed and waits, or was given up.
    pub fn admit_retry(&mut self, asked: Requested) -> Result<OperationInfo, Error> {
        self.forget_all_failures();
        if self.desired().absent {
            self.record.removal_deadline = Some(asked.at + self.deadlines.removal);
        }
        let (kind, wait) = if self.desired().absent {
            (OperationKind::ClusterDelete, self.deadlines.removal)
        } else {
            (OperationKind::ClusterRetry, self.deadlines.cluster)
        };
        // A deletion that is tried again is still the same deletion, and can be cancelled as such.
        let retried = self.running_operations().find(|operation| operation.info.kind == kind);
        let anew = || Target::Cluster { before: Some(self.record.desired.clone()) };
        let target = retried.map_or_else(anew, |operation| operation.target.clone());
        self.supersede_cluster_operations(&asked);
        Ok(self.admitted(kind, target, Vec::new(), wait, asked))
    }

    /// Ends an operation; what was asked for before it is asked for again, a creation too. One that has ended stays as it
    /// ended.
    pub fn admit_cancel(&mut self, id: OperationId, asked: Requested) -> Result<OperationInfo, Error> {
        let Some(operation) = self.operations.get(&id).cloned() else {
            return Err(Error::not_found("operation", id));
        };
        if operation.info.phase.is_ended() {
            return Ok(operation.info);
        }
        match operation.target {
            Target::Cluster { before: None } => {
                // What was asked for of a cluster that is not to be cannot come to an end by itself.
                let others = self.running_operations().map(|operation| operation.info.id).filter(|other| *other != id);
                let others: Vec<OperationId> = others.collect();
                self.supersede_for(&others, "the creation of the cluster was cancelled", asked.at);
                self.leave(asked.at);
            }
            Target::Cluster { before: Some(before) } => {
                let generation = self.record.desired.generation + 1;
                if !before.absent {
                    self.record.removal_deadline = None;
                    self.record.swept = false;
                }
                self.record.desired = Desired { generation, ..before };
            }
            Target::Services(targets) => {
                for target in targets {
                    self.restore_service(target, asked.at);
                }
            }
        }
        self.forget_all_failures();
        self.end_operation(id, OperationPhase::Cancelled, None, asked.at);
        self.go_on_creating(asked);
        let info = self.operations.get(&id).map_or(operation.info, |operation| operation.info.clone());
        self.tidy();
        Ok(info)
    }

    /// A change of a cluster that never was ready took the place of its creation. Once the change is cancelled, the
    /// creation goes on, as an operation that can be waited for and cancelled like the first one.
    fn go_on_creating(&mut self, asked: Requested) {
        let is_asked_for =
            self.running_operations().any(|operation| matches!(operation.target, Target::Cluster { .. }));
        if self.desired().absent || self.record.was_ready || is_asked_for {
            return;
        }
        let target = Target::Cluster { before: None };
        self.start_operation(OperationKind::ClusterCreate, target, Vec::new(), self.deadlines.cluster, asked);
    }

    fn refuse_if_leaving(&self) -> Result<(), Error> {
        if !self.desired().absent {
            return Ok(());
        }
        let name = &self.desired().spec.name;
        let is_deletion = |operation: &OperationRecord| operation.info.kind == OperationKind::ClusterDelete;
        // After a cancelled creation, or one that could not be ended in its time, no operation is there to be cancelled.
        let remedy = match self.running_operations().find(|operation| is_deletion(operation)) {
            Some(deletion) => {
                format!(
                    "wait until it is gone, or cancel the deletion with `muster operation cancel {}`",
                    deletion.info.id
                )
            }
            None => "wait until it is gone, or choose another name for a new cluster".to_owned(),
        };
        Err(Error::new(ErrorCode::Conflict, format!("cluster `{name}` is being deleted")).with_remedy(remedy))
    }

    fn leave(&mut self, now: Timestamp) {
        self.record.desired.generation += 1;
        self.record.desired.absent = true;
        self.record.removal_deadline = Some(now + self.deadlines.removal);
        self.record.swept = false;
        self.forget_all_failures();
    }

    fn supersede_cluster_operations(&mut self, asked: &Requested) {
        let operations = self.running_operations();
        let others = operations.filter(|operation| matches!(operation.target, Target::Cluster { .. }));
        let others: Vec<OperationId> = others.map(|operation| operation.info.id).collect();
        self.supersede(&others, asked);
    }
}
