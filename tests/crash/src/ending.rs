//! The end of a run: waited for, and judged.

use std::cmp::Ordering;
use std::time::Duration;

use muster_engine::state::ClusterState;
use muster_protocol::model::operation::OperationPhase;
use muster_protocol::{OperationId, Request};

use super::client::AccountPromise;
use super::disturbance::Disturbance;
use super::process::Process;
use super::requests;
use super::run::Story;
use super::scenario::{Interruption, Standing};
use super::verdict::Verdict;

/// Longer than any deadline in the daemon: who is not done by then is stuck.
pub const PATIENCE: Duration = Duration::from_secs(4 * 3600);

/// How long the last look may take, and services after another try.
const AFTER_LOOK: Duration = Duration::from_secs(600);

impl Story<'_> {
    /// Waits until everything is as it must be, which it must become by itself; only after a refusal for good may somebody
    /// mend its reason and try again, once. Whether that was needed.
    pub(super) async fn come_to_the_end(
        &self,
        process: &Process,
        phase: OperationPhase,
        end: Option<&Standing>,
        disturbance: Disturbance,
    ) -> Result<bool, String> {
        let is_permanent = disturbance.is_permanent();
        let ended_well = self.has_ended_well(phase, disturbance);
        if ended_well {
            // A daemon that was started again has to look first. And what an operation does not cover has no end but this.
            let is_covered = phase == OperationPhase::Succeeded && end.is_some() && !self.is_retry();
            let patience = if is_permanent || is_covered { AFTER_LOOK } else { PATIENCE };
            // A deletion that has taken the majority already is beyond return, and the cluster says so.
            let may_be_lost = phase == OperationPhase::Cancelled && self.is_deletion();
            let is_at_its_end = |process: &Process| process.stands(end) || may_be_lost && process.has_lost_quorum();
            let _ = tokio::time::timeout(patience, process.until(is_at_its_end)).await;
            if is_at_its_end(process) {
                return Ok(false);
            }
        }
        if !is_permanent {
            return Err(format!("the operation {phase}, and nobody may help: {}", process.describe()));
        }
        let helped = self.client.ask(process, &requests::help()).await?;
        let phase = match helped {
            Some(operation) => self.until_ended(process, operation).await?,
            None => return Err("another try has no operation".to_owned()),
        };
        // The cluster may be as asked for before its services are.
        let _ = tokio::time::timeout(AFTER_LOOK, process.until(|process| process.stands(end))).await;
        if phase == OperationPhase::Succeeded && process.stands(end) {
            return Ok(true);
        }
        Err(format!("tried again, the operation {phase} and all is not as asked for: {}", process.describe()))
    }

    /// Whether the last operation ended as what was asked for last wants it.
    fn has_ended_well(&self, phase: OperationPhase, disturbance: Disturbance) -> bool {
        match (self.scenario.interruption, disturbance) {
            // Undisturbed, a cancellation that comes too late would be none.
            (Some(Interruption::Cancel), Disturbance::None) => phase == OperationPhase::Cancelled,
            (Some(Interruption::Cancel), _) => matches!(phase, OperationPhase::Cancelled | OperationPhase::Succeeded),
            (_, _) => phase == OperationPhase::Succeeded,
        }
    }

    fn is_deletion(&self) -> bool {
        matches!(self.scenario.change, Request::ClusterDelete { .. })
    }

    /// Whether what was asked for last is another try, whose operation is about the cluster and not about its services.
    fn is_retry(&self) -> bool {
        matches!(self.scenario.change, Request::ClusterRetry { .. }) && self.scenario.interruption.is_none()
    }

    pub(super) async fn until_ended(
        &self,
        process: &Process,
        operation: OperationId,
    ) -> Result<OperationPhase, String> {
        let ended = tokio::time::timeout(PATIENCE, process.until_ended(operation)).await;
        ended.map_err(|_| format!("operation {operation} does not end: {}", process.describe()))
    }

    /// What was acknowledged and is not so.
    pub(super) async fn broken_promises(&self, process: &Process, when: &str) -> Result<Vec<String>, String> {
        let operations = self.client.acknowledged().into_iter().filter(|operation| !process.knows(*operation));
        let mut broken: Vec<String> = operations
            .map(|operation| format!("operation {operation} was acknowledged and is not known {when}"))
            .collect();
        if let AccountPromise::Is(promised) = self.client.account() {
            let kept = process.account().await?;
            if kept != promised {
                broken.push(format!("the account was acknowledged with {promised:?} and has {kept:?} {when}"));
            }
        }
        Ok(broken)
    }

    /// Looks at what is there, then deletes everything and looks again.
    pub(super) async fn judge(
        &self,
        process: &Process,
        end: Option<&Standing>,
        verdict: &mut Verdict,
    ) -> Result<(), String> {
        verdict.lost.extend(self.broken_promises(process, "at the end").await?);
        for operation in self.client.acknowledged() {
            self.until_ended(process, operation).await?;
        }
        if let Some(cluster) = process.cluster() {
            let there = self.world.resources(process.instance(), cluster.id());
            let machines = there.iter().filter(|(key, _)| key.to_string().starts_with("machine/")).count();
            let wanted = end.map_or(0, |end| usize::try_from(end.machines).unwrap_or(usize::MAX));
            if machines > wanted {
                verdict.orphans.push(format!("{machines} machines are there, {wanted} were asked for: {there:?}"));
            }
            // A deletion that was cancelled too late has left no majority that could run anything.
            if self.scenario.is_framework && process.stands(end) {
                self.judge_tasks(&cluster, end, verdict);
            }
            for service in end.into_iter().flat_map(|end| &end.services) {
                if !process.has_secrets(service).await? {
                    verdict.lost.push(format!("service {} has not the secrets that it was given", service.name));
                }
            }
            let audit = self.world.audit(process.instance(), &[cluster.id()]);
            verdict.orphans.extend(audit.orphans);
            if let Some(operation) = self.client.ask(process, &requests::clean_up()).await? {
                self.until_ended(process, operation).await?;
            }
            let gone = tokio::time::timeout(PATIENCE, process.until(|process| process.stands(None))).await;
            gone.map_err(|_| format!("the cluster does not go: {}", process.describe()))?;
        }
        let audit = self.world.audit(process.instance(), &[]);
        verdict.orphans.extend(audit.orphans);
        verdict.duplicates.extend(audit.duplicates);
        verdict.duplicates.extend(audit.second_clusters);
        verdict.duplicates.extend(audit.repeated_steps);
        verdict.duplicates.extend(audit.broken_upgrades);
        verdict.wrong_deletes.extend(audit.wrong_deletes);
        verdict.wrong_deletes.extend(audit.quorum_breaks);
        Ok(())
    }

    /// A framework must run as many copies of each service as are wanted, and of no other.
    fn judge_tasks(&self, cluster: &ClusterState, end: Option<&Standing>, verdict: &mut Verdict) {
        let mut copies = self.world.copies(cluster.id());
        for service in end.into_iter().flat_map(|end| &end.services) {
            let (run, wanted) = (copies.remove(&service.name).unwrap_or(0), service.replicas);
            let what = format!("{run} copies of service {} run, {wanted} are wanted", service.name);
            match run.cmp(&wanted) {
                Ordering::Less => verdict.lost.push(what),
                Ordering::Equal => {}
                Ordering::Greater => verdict.duplicates.push(what),
            }
        }
        verdict.orphans.extend(copies.into_iter().map(|(name, run)| format!("{run} copies of {name} run on")));
    }
}
