//! Removing machines with all that belongs to them, and being sure that what is not listed is gone.

use aws_sdk_ec2::types::{Filter, NetworkInterface, Volume, VolumeState};
use muster_engine::context::{ClusterContext, mark as marks};
use muster_engine::failure::Failure;
use muster_engine::ledger::InfraKey;
use muster_protocol::ErrorCode;
use tokio::time::{Instant, sleep};

use crate::Ec2Driver;
use crate::failure::CallError;
use crate::listing::{OwnedInstance, Stage};
use crate::mark::{filter, filters_of};
use crate::network::sorted;

impl Ec2Driver {
    /// Terminates every instance with the machine's marks and waits for its end: what it stands on can only go then.
    pub(crate) async fn remove_machine(
        &self,
        cluster: &ClusterContext,
        key: &InfraKey,
        id: &str,
    ) -> Result<(), Failure> {
        let mut there = self.machines_of(cluster, key).await?;
        if id.starts_with("i-") && there.iter().all(|machine| machine.id != id) {
            match self.machine_with_id(cluster, key, id).await? {
                None => self.sure_that_gone(&[], id)?,
                Some(machine) if machine.has_marks || machine.stage.power().is_none() => there.push(machine),
                Some(_) => return Err(without_marks(cluster, key, id)),
            }
        }
        let alive: Vec<&OwnedInstance> = there.iter().filter(|one| one.stage.power().is_some()).collect();
        if !alive.is_empty() {
            let ids: Vec<String> = alive.iter().map(|machine| machine.id.clone()).collect();
            let ended = self
                .change("terminate the instance", |ec2| {
                    ec2.terminate_instances().set_instance_ids(Some(ids.clone())).send()
                })
                .await;
            self.gone_is_well(ended)?;
        }
        self.await_end(cluster, key).await?;
        self.remove_interfaces(filters_of(cluster, key)).await?;
        self.remove_volumes(filters_of(cluster, key)).await
    }

    /// Waits until the listing has no instance with this key that has not ended.
    async fn await_end(&self, cluster: &ClusterContext, key: &InfraKey) -> Result<(), Failure> {
        let deadline = Instant::now() + self.options.habits.termination_limit;
        loop {
            let listing = self.listing(cluster.instance, self.options.habits.poll / 2).await?;
            let mut ours = listing.iter().filter(|one| one.cluster == cluster.cluster && one.key.as_ref() == Some(key));
            let Some(left) = ours.find(|machine| machine.stage != Stage::Ended) else { return Ok(()) };
            if Instant::now() >= deadline {
                let seconds = self.options.habits.termination_limit.as_secs();
                let message = format!("instance {} has not ended {seconds} s after it was terminated", left.id);
                return Err(Failure::maybe_applied(ErrorCode::Provider, message));
            }
            sleep(self.options.habits.poll).await;
        }
    }

    /// Disks that did not go with their machine, because its creation broke off or somebody changed it.
    async fn remove_volumes(&self, filters: Vec<Filter>) -> Result<(), Failure> {
        let listed = self
            .read("look for volumes of the machine", |ec2| {
                ec2.describe_volumes().set_filters(Some(filters.clone())).send()
            })
            .await?;
        let free = |volume: &&Volume| volume.state() == Some(&VolumeState::Available);
        for id in sorted(listed.volumes().iter().filter(free).filter_map(Volume::volume_id)) {
            let removed = self.change("delete a volume", |ec2| ec2.delete_volume().volume_id(&id).send()).await;
            self.gone_is_well(removed)?;
        }
        Ok(())
    }

    /// Network interfaces that did not go with their machine.
    async fn remove_interfaces(&self, filters: Vec<Filter>) -> Result<(), Failure> {
        let free = filter("status", "available");
        let listed = self
            .read("look for network interfaces of the machine", |ec2| {
                ec2.describe_network_interfaces().set_filters(Some(filters.clone())).filters(free.clone()).send()
            })
            .await?;
        for id in sorted(listed.network_interfaces().iter().filter_map(NetworkInterface::network_interface_id)) {
            let removed = self
                .change("delete a network interface", |ec2| {
                    ec2.delete_network_interface().network_interface_id(&id).send()
                })
                .await;
            self.gone_is_well(removed)?;
        }
        Ok(())
    }

    /// What is not listed may be gone, or so new that it is not listed yet. Only the first is a success.
    pub(crate) fn sure_that_gone(&self, listed: &[String], id: &str) -> Result<(), Failure> {
        if listed.iter().any(|there| there == id) || !self.may_be_unlisted(id) {
            return Ok(());
        }
        let message = format!("{id} is not listed, which it may not be yet");
        Err(Failure {
            retry_after: Some(self.options.habits.poll),
            ..Failure::not_applied(ErrorCode::Provider, message)
        })
    }

    /// Whatever is gone already is removed.
    pub(crate) fn gone_is_well<T>(&self, answer: Result<T, CallError>) -> Result<(), Failure> {
        match answer {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) if error.is("DependencyViolation") => Err(error
                .failure
                .with_remedy("something that Muster did not make may stand on it; Muster tries again by itself")),
            Err(error) => Err(error.into()),
        }
    }
}

/// Muster made it, but removes nothing that does not say so.
fn without_marks(cluster: &ClusterContext, key: &InfraKey, id: &str) -> Failure {
    let (instance, of) = (cluster.instance, cluster.cluster);
    let message = format!("instance {id} is there without the tags that say whose it is, so it is left alone");
    Failure::not_applied(ErrorCode::Conflict, message).with_remedy(format!(
        "terminate it, or give it its tags again and Muster goes on by itself: aws ec2 create-tags --resources {id} --tags \
         Key={},Value={instance} Key={},Value={of} Key={},Value={key}",
        marks::INSTANCE, marks::CLUSTER, marks::KEY
    ))
}
