//! The instances of an account: one listing, kept for a moment, serves every cluster and everybody who waits for one.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_ec2::types::{Filter, Instance, InstanceStateName};
use muster_engine::context::ClusterContext;
use muster_engine::driver::{Marked, Owned};
use muster_engine::failure::Failure;
use muster_engine::ledger::{InfraKey, ResourceKey};
use muster_engine::observed::Power;
use muster_protocol::{ClusterId, InstanceId};
use tokio::time::Instant;

use crate::mark;
use crate::{Ec2Driver, found};

/// EC2's largest page.
pub(crate) const PAGE: i32 = 1000;

/// One instance of ours.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct OwnedInstance {
    pub(crate) id: String,
    pub(crate) cluster: ClusterId,
    /// None if its mark cannot be read.
    pub(crate) key: Option<InfraKey>,
    pub(crate) stage: Stage,
    /// Why it stopped or ended, in EC2's words.
    pub(crate) reason: Option<String>,
    pub(crate) private_address: Option<String>,
    pub(crate) public_address: Option<String>,
    /// As it was pinned at first contact.
    pub(crate) host_key: Option<String>,
    /// All that its tags say.
    pub(crate) marked: Marked,
    /// Whether its tags say so. They may have been taken away from one that was asked for by its id.
    pub(crate) has_marks: bool,
    /// Seconds since 1970.
    pub(crate) launched_at: i64,
}

/// How an instance counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    Pending,
    Running,
    Stopping,
    Stopped,
    /// It is terminated or on its way: there is no way back.
    Ending,
    Ended,
}

impl Stage {
    fn of(state: Option<&InstanceStateName>) -> Self {
        match state {
            Some(InstanceStateName::Running) => Self::Running,
            Some(InstanceStateName::Stopping) => Self::Stopping,
            Some(InstanceStateName::Stopped) => Self::Stopped,
            Some(InstanceStateName::ShuttingDown) => Self::Ending,
            Some(InstanceStateName::Terminated) => Self::Ended,
            // A state that EC2 may get: it is there, and its next state says more.
            Some(_) | None => Self::Pending,
        }
    }

    /// How the machine counts; none if it does not any more.
    pub(crate) fn power(self) -> Option<Power> {
        match self {
            Self::Pending | Self::Running => Some(Power::Running),
            Self::Stopping | Self::Stopped => Some(Power::Stopped),
            Self::Ending | Self::Ended => None,
        }
    }
}

/// A listing and when it was begun.
pub(crate) type Kept = Option<(InstanceId, Instant, Arc<Vec<OwnedInstance>>)>;

impl Ec2Driver {
    /// Every instance of this installation, by a listing that was begun no longer than `kept` before it was asked for.
    /// Who asks while one is being made waits for it.
    pub(crate) async fn listing(
        &self,
        instance: InstanceId,
        kept: Duration,
    ) -> Result<Arc<Vec<OwnedInstance>>, Failure> {
        let asked = Instant::now();
        let mut last = self.last_listing.lock().await;
        if let Some((of, at, machines)) = &*last
            && *of == instance
            && asked.saturating_duration_since(*at) < kept
        {
            return Ok(Arc::clone(machines));
        }
        let began = Instant::now();
        let machines = Arc::new(self.machines(mark::filters(instance, None, None)).await?);
        *last = Some((instance, began, Arc::clone(&machines)));
        Ok(machines)
    }

    /// The instance that is this machine of the cluster and has this id, whatever its tags say. It is none if EC2 knows no such
    /// id, which for a new one may be so for a while.
    pub(crate) async fn machine_with_id(
        &self,
        cluster: &ClusterContext,
        key: &InfraKey,
        id: &str,
    ) -> Result<Option<OwnedInstance>, Failure> {
        let answer = self.read("look at an instance", |ec2| ec2.describe_instances().instance_ids(id).send()).await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut instances = answer.reservations().iter().flat_map(|reservation| reservation.instances());
        let Some(instance) = instances.find(|instance| instance.instance_id() == Some(id)) else { return Ok(None) };
        let present = found(id.to_owned());
        let ours = Owned { cluster: cluster.cluster, key: Some(ResourceKey::Infra(key.clone())), present };
        let read = read(instance).filter(|read| read.marked.instance == cluster.instance && read.marked.owned == ours);
        Ok(Some(read.unwrap_or_else(|| {
            let marked = Marked { instance: cluster.instance, owned: ours, cluster_name: None, spec: None };
            OwnedInstance { has_marks: false, ..seen(instance, marked) }
        })))
    }

    /// The instances that these filters let through; of those with equal keys, the oldest first.
    pub(crate) async fn machines(&self, filters: Vec<Filter>) -> Result<Vec<OwnedInstance>, Failure> {
        let mut machines = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let page = self
                .read("list instances", |ec2| {
                    let request = ec2.describe_instances().set_filters(Some(filters.clone())).max_results(PAGE);
                    request.set_next_token(token.clone()).send()
                })
                .await?;
            let instances = page.reservations().iter().flat_map(|reservation| reservation.instances());
            machines.extend(instances.filter_map(read));
            match page.next_token() {
                Some(next) if !next.is_empty() => token = Some(next.to_owned()),
                Some(_) | None => break,
            }
        }
        machines.sort_by(|a, b| (a.launched_at, &a.id).cmp(&(b.launched_at, &b.id)));
        Ok(machines)
    }
}

/// None if it has not all of our marks.
fn read(instance: &Instance) -> Option<OwnedInstance> {
    let marked = mark::read_all(instance.instance_id()?, instance.tags())?;
    Some(seen(instance, marked))
}

fn seen(instance: &Instance, marked: Marked) -> OwnedInstance {
    let text = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    OwnedInstance {
        id: marked.owned.present.id.clone(),
        cluster: marked.owned.cluster,
        key: marked.owned.key.as_ref().and_then(|key| key.infra().cloned()),
        stage: Stage::of(instance.state().and_then(|state| state.name())),
        reason: text(instance.state_reason().and_then(|reason| reason.message())),
        private_address: text(instance.private_ip_address()),
        public_address: text(instance.public_ip_address()),
        host_key: text(mark::value(instance.tags(), mark::HOST_KEY)),
        marked,
        has_marks: true,
        launched_at: instance.launch_time().map_or(0, |time| time.secs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_come_back_counts_as_a_machine() {
        let power = |state| Stage::of(Some(&state)).power();
        assert_eq!(power(InstanceStateName::Pending), Some(Power::Running));
        assert_eq!(power(InstanceStateName::Stopping), Some(Power::Stopped));
        assert_eq!(power(InstanceStateName::ShuttingDown), None);
        assert_eq!(power(InstanceStateName::Terminated), None);
    }
}
