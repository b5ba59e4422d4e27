//! What went wrong in the world, as nobody but the world itself can know it.

use std::collections::BTreeMap;
use std::fmt;

use muster_protocol::{ClusterId, InstanceId};

use super::state::{SimState, resource_id};
use crate::ledger::ResourceKey;

/// Something that nobody should have done, noticed when it was done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Violation {
    /// A second one of something was made while the first was there.
    Duplicate(String),
    /// Something without the caller's marks was removed or changed.
    WrongDelete(String),
    /// A control plane lost its majority by a removal.
    QuorumBreak(String),
    /// A second cluster was formed beside a living one.
    SecondCluster(String),
    /// A rule of kubeadm's upgrades was broken.
    Upgrade(String),
    /// Two steps ran on one machine at once, or one that had ended well ran again.
    Step(String),
}

/// The result of an audit: each list is empty if all is well. The texts say what and where.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Audit {
    /// Things with our marks of clusters that should not be there.
    pub orphans: Vec<String>,
    /// Things that were there twice, now or ever.
    pub duplicates: Vec<String>,
    /// Things of others that were removed or changed.
    pub wrong_deletes: Vec<String>,
    /// Removals that took a control plane's majority away.
    pub quorum_breaks: Vec<String>,
    /// Clusters that were formed although one was there.
    pub second_clusters: Vec<String>,
    /// Upgrades against kubeadm's rules.
    pub broken_upgrades: Vec<String>,
    /// Steps that ran on a machine beside another, or once more.
    pub repeated_steps: Vec<String>,
}

impl Audit {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn of(state: &SimState, instance: InstanceId, live: &[ClusterId]) -> Self {
        let mut audit = Self::default();
        for violation in &state.violations {
            match violation {
                Violation::Duplicate(what) => audit.duplicates.push(what.clone()),
                Violation::WrongDelete(what) => audit.wrong_deletes.push(what.clone()),
                Violation::QuorumBreak(what) => audit.quorum_breaks.push(what.clone()),
                Violation::SecondCluster(what) => audit.second_clusters.push(what.clone()),
                Violation::Upgrade(what) => audit.broken_upgrades.push(what.clone()),
                Violation::Step(what) => audit.repeated_steps.push(what.clone()),
            }
        }
        for bucket in state.clusters.values() {
            let mut known: BTreeMap<(ClusterId, &ResourceKey), u64> = BTreeMap::new();
            for (id, resource) in &bucket.resources {
                let Some(marks) = resource.marks.filter(|marks| marks.instance == instance) else { continue };
                let what = format!("{} ({}) of cluster {}", resource.name, resource_id(*id), marks.cluster);
                if !live.contains(&marks.cluster) {
                    audit.orphans.push(what.clone());
                }
                if let Some(first) = known.insert((marks.cluster, &resource.name), *id) {
                    audit.duplicates.push(format!("{what} beside {}", resource_id(first)));
                }
            }
        }
        audit
    }
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} orphans, {} duplicates, {} wrong deletes, {} broken quorums, {} second clusters, {} broken upgrades, \
             {} repeated steps",
            self.orphans.len(),
            self.duplicates.len(),
            self.wrong_deletes.len(),
            self.quorum_breaks.len(),
            self.second_clusters.len(),
            self.broken_upgrades.len(),
            self.repeated_steps.len()
        )?;
        let lists = [
            &self.orphans,
            &self.duplicates,
            &self.wrong_deletes,
            &self.quorum_breaks,
            &self.second_clusters,
            &self.broken_upgrades,
            &self.repeated_steps,
        ];
        for line in lists.into_iter().flatten() {
            write!(f, "\n  {line}")?;
        }
        Ok(())
    }
}
