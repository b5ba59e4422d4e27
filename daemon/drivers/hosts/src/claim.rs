//! The owner mark of a host: `claim.json`, one line that the host itself keeps.

use std::collections::BTreeMap;

use muster_engine::context::ClusterContext;
use muster_engine::driver::{Marked, Owned};
use muster_engine::ledger::{Facts, InfraKey, Present, ResourceKey};
use muster_engine::spec_mark;
use muster_protocol::{ClusterId, InstanceId, Name};
use serde::{Deserialize, Serialize};

/// Who has a host, and for what.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Claim {
    /// The installation.
    pub(crate) instance: InstanceId,
    /// The cluster.
    pub(crate) cluster: ClusterId,
    /// The machine: a [`ResourceKey`] as text.
    pub(crate) key: String,
    /// For people: the cluster's name.
    pub(crate) cluster_name: String,
    /// For people: the host's name in the account.
    pub(crate) host: String,
    /// Which try to make the machine claimed it.
    pub(crate) attempt: u32,
    /// What the cluster was asked to be, as [`spec_mark`] writes it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) spec: BTreeMap<String, String>,
}

impl Claim {
    pub(crate) fn new(cluster: &ClusterContext, key: &InfraKey, host: &str, attempt: u32) -> Self {
        Self {
            instance: cluster.instance,
            cluster: cluster.cluster,
            key: ResourceKey::Infra(key.clone()).to_string(),
            cluster_name: cluster.name().to_string(),
            host: host.to_owned(),
            attempt,
            spec: spec_mark::write(&cluster.spec).into_iter().collect(),
        }
    }

    /// The claim of a host as a mark, with how the host is named.
    pub(crate) fn marked(&self, host: &Name) -> Marked {
        let key = self.machine_key().map(ResourceKey::Infra);
        let present = Present { id: host.to_string(), facts: Facts::None };
        Marked {
            instance: self.instance,
            owned: Owned { cluster: self.cluster, key, present },
            cluster_name: self.cluster_name.parse().ok(),
            spec: spec_mark::read(|name| self.spec.get(name).map(String::as_str)),
        }
    }

    /// Reads the line. A line that cannot be read is somebody's too.
    pub(crate) fn read(line: &str) -> Result<Self, String> {
        serde_json::from_str(line).map_err(|_| line.to_owned())
    }

    /// The line.
    pub(crate) fn line(&self) -> String {
        // Every field is text or a number, so there is nothing that JSON could refuse.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// How every claim of this machine begins, whichever try made it: what tells ours from others' on the host.
    pub(crate) fn owner(&self) -> String {
        let line = self.line();
        let end = line.find(r#","clusterName""#).map_or(line.len(), |at| at + 1);
        line[..end].to_owned()
    }

    /// Whether it is of this cluster.
    pub(crate) fn is_of(&self, cluster: &ClusterContext) -> bool {
        self.instance == cluster.instance && self.cluster == cluster.cluster
    }

    /// Whether it is this machine of this cluster.
    pub(crate) fn is_for(&self, cluster: &ClusterContext, key: &InfraKey) -> bool {
        self.is_of(cluster) && self.machine_key().as_ref() == Some(key)
    }

    /// The machine; none if the mark cannot be read as one.
    pub(crate) fn machine_key(&self) -> Option<InfraKey> {
        self.key.parse::<ResourceKey>().ok()?.infra().cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(key: &str, attempt: u32) -> Claim {
        Claim {
            instance: InstanceId::from_u128(1),
            cluster: ClusterId::from_u128(2),
            key: key.to_owned(),
            cluster_name: "demo".to_owned(),
            host: "web-1".to_owned(),
            attempt,
            spec: BTreeMap::new(),
        }
    }

    #[test]
    fn a_claim_reads_back_and_a_strange_line_is_kept_as_it_is() {
        let one = claim("machine/worker-1", 3);
        assert_eq!(Claim::read(&one.line()), Ok(one));
        assert_eq!(Claim::read("{}"), Err("{}".to_owned()));
    }

    #[test]
    fn every_try_begins_alike_and_another_machine_does_not() {
        let owner = claim("machine/worker-1", 1).owner();
        assert!(claim("machine/worker-1", 7).line().starts_with(&owner));
        assert!(!claim("machine/worker-11", 1).line().starts_with(&owner));
        assert!(owner.ends_with(r#""key":"machine/worker-1","#), "{owner}");
    }
}
