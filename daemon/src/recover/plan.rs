//! What becomes of each cluster that was found. Nothing is changed here.

use std::collections::BTreeSet;

use muster_engine::driver::Owned;
use muster_engine::ledger::ResourceState;
use muster_engine::state::{ClusterState, NewKeys};
use muster_protocol::model::cluster::ClusterSpec;
use muster_protocol::{ClusterId, Error, Name};
use muster_store::{ReadError, Store};

use super::{ById, Sighting};
use crate::journal::records::{StoredCluster, StoredOperation};
use crate::provisioner::Provisioner;

/// One cluster that was found.
#[derive(Debug)]
pub struct ClusterPlan {
    /// Its id.
    pub id: ClusterId,
    /// What its marks say.
    pub sighting: Sighting,
    /// What becomes of it.
    pub verdict: Verdict,
}

/// What becomes of a cluster that was found.
#[derive(Debug)]
pub enum Verdict {
    /// It becomes what it was, with new keys.
    Rebuilt(Box<ClusterState>),
    /// It is there again and can only be deleted: its machines take no new keys.
    OnlyToBeDeleted(Box<ClusterState>),
    /// The store has it: nothing is changed.
    Known,
    /// It is left alone, for this reason.
    LeftAlone(String),
}

impl ClusterPlan {
    /// The state that is written, if one is.
    pub fn state(&self) -> Option<&ClusterState> {
        match &self.verdict {
            Verdict::Rebuilt(state) | Verdict::OnlyToBeDeleted(state) => Some(state),
            Verdict::Known | Verdict::LeftAlone(_) => None,
        }
    }

    /// Its name, if anything says it.
    pub fn name(&self) -> Option<&Name> {
        let mut names = self.sighting.marked.iter().filter_map(|marked| marked.cluster_name.as_ref());
        self.spec().map(|spec| &spec.name).or_else(|| names.next())
    }

    /// What its marks say that it was asked to be.
    pub fn spec(&self) -> Option<&ClusterSpec> {
        self.sighting.marked.iter().find_map(|marked| marked.spec.as_ref())
    }

    /// Machines that should be there and were not found.
    pub fn missing(&self) -> Vec<&Name> {
        let Some(state) = self.state() else { return Vec::new() };
        let unseen = state.ledger.iter().filter(|(_, entry)| entry.state == ResourceState::Unknown(None));
        unseen.filter_map(|(key, _)| key.machine()).collect()
    }
}

/// What becomes of an installation's clusters; of several of one name, the newest one has it.
pub async fn plan(
    provisioner: &Provisioner,
    store: &Store,
    sightings: &ById<Sighting>,
) -> Result<Vec<ClusterPlan>, ReadError> {
    let stored = store.scan::<StoredCluster>(&[]).await?;
    let mut names: BTreeSet<Name> = stored.iter().map(|stored| stored.0.desired.spec.name.clone()).collect();
    let known: BTreeSet<ClusterId> = stored.into_iter().map(|stored| stored.0.id).collect();
    let operations = store.scan::<StoredOperation>(&[]).await?;
    let deleted: BTreeSet<ClusterId> = operations.into_iter().map(|stored| stored.0.info.cluster_id).collect();
    let mut clusters = Vec::new();
    for (id, sighting) in sightings.iter().rev() {
        let (id, sighting) = (*id, sighting.clone());
        let mut cluster = ClusterPlan { id, sighting, verdict: Verdict::Known };
        if !known.contains(&id) {
            cluster.verdict = if deleted.contains(&id) {
                Verdict::LeftAlone("it was deleted, and the daemon goes on removing what is left of it".to_owned())
            } else {
                verdict(provisioner, &cluster, &names).await
            };
        }
        names.extend(cluster.state().map(|state| state.desired().spec.name.clone()));
        clusters.push(cluster);
    }
    clusters.reverse();
    Ok(clusters)
}

async fn verdict(provisioner: &Provisioner, cluster: &ClusterPlan, taken: &BTreeSet<Name>) -> Verdict {
    let Some(spec) = cluster.spec() else {
        let why =
            "its marks do not say what it was, as those of earlier releases do not; remove it at its infrastructure";
        return Verdict::LeftAlone(why.to_owned());
    };
    if taken.contains(&spec.name) {
        let why = format!("another cluster has the name {}; delete that one, and recover again", spec.name);
        return Verdict::LeftAlone(why);
    }
    match rebuilt(provisioner, cluster, spec).await {
        Ok((NewKeys::Possible, state)) => Verdict::Rebuilt(state),
        Ok((NewKeys::Impossible, state)) => Verdict::OnlyToBeDeleted(state),
        Err(cause) => Verdict::LeftAlone(cause.message),
    }
}

async fn rebuilt(
    provisioner: &Provisioner,
    cluster: &ClusterPlan,
    marked: &ClusterSpec,
) -> Result<(NewKeys, Box<ClusterState>), Error> {
    let (infrastructure, account) = cluster.sighting.place.clone();
    let spec = ClusterSpec { infrastructure, account, ..marked.clone() };
    let driver = provisioner.driver(spec.infrastructure, spec.account.as_ref()).await?;
    let keys = provisioner.new_keys(&spec, driver.as_ref())?;
    let deadlines = provisioner.deadlines_with(driver.as_ref());
    let blueprint = provisioner.blueprint(&spec, driver)?;
    let found: Vec<Owned> = cluster.sighting.marked.iter().map(|marked| marked.owned.clone()).collect();
    let now = provisioner.shared.clock.now();
    let state = ClusterState::recovered(cluster.id, &spec, &found, keys, blueprint, deadlines, now);
    Ok((keys, Box::new(state)))
}
