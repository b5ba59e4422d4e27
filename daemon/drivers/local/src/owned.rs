//! Everything that carries our marks, and volumes that outlived their machine.

use std::collections::{HashMap, HashSet};

use bollard::models::Volume;
use bollard::query_parameters::{ListVolumesOptionsBuilder, RemoveVolumeOptionsBuilder};
use muster_engine::context::ClusterContext;
use muster_engine::driver::{Marked, Owned};
use muster_engine::failure::Failure;
use muster_engine::ledger::ResourceKey;
use muster_protocol::{ClusterId, InstanceId};

use crate::LocalDriver;
use crate::docker_error::{failure, status};
use crate::mark;

impl LocalDriver {
    /// What carries the marks of this installation, of one cluster or of all.
    pub(crate) async fn everything_owned(
        &self,
        instance: InstanceId,
        cluster: Option<ClusterId>,
    ) -> Result<Vec<Owned>, Failure> {
        let marked = self.everything_marked(&mark::filter(instance, cluster, None)).await?;
        Ok(marked.into_iter().map(|marked| marked.owned).collect())
    }

    /// Containers, networks, and volumes whose container is lost: these stand for their machine.
    pub(crate) async fn everything_marked(
        &self,
        filter: &HashMap<String, Vec<String>>,
    ) -> Result<Vec<Marked>, Failure> {
        let mut marked = Vec::new();
        for network in self.list_networks(filter).await? {
            marked.extend(network.labels.as_ref().and_then(|labels| mark::read_all(network.id, labels)));
        }
        for container in self.list_containers(filter).await? {
            marked.extend(container.labels.as_ref().and_then(|labels| mark::read_all(container.id, labels)));
        }
        let owner = |marked: &Marked| (marked.instance, marked.owned.cluster, marked.owned.key.clone());
        let whole: HashSet<_> = marked.iter().map(owner).collect();
        let mut lost = HashSet::new();
        for volume in self.list_volumes(filter).await? {
            let Some(volume) = mark::read_all(Some(volume.name), &volume.labels) else { continue };
            if !whole.contains(&owner(&volume)) && lost.insert(owner(&volume)) {
                marked.push(volume);
            }
        }
        Ok(marked)
    }

    /// Removes a machine's volumes that did not go with its container.
    pub(crate) async fn remove_volumes(&self, cluster: &ClusterContext, key: &ResourceKey) -> Result<(), Failure> {
        let filter = mark::filter(cluster.instance, Some(cluster.cluster), Some(key));
        for volume in self.list_volumes(&filter).await? {
            let options = RemoveVolumeOptionsBuilder::new().force(true).build();
            match self.docker()?.remove_volume(&volume.name, Some(options)).await {
                Ok(()) => {}
                Err(error) if status(&error) == Some(404) => {}
                Err(error) => return Err(failure("remove a volume of the machine", error)),
            }
        }
        Ok(())
    }

    async fn list_volumes(&self, filter: &HashMap<String, Vec<String>>) -> Result<Vec<Volume>, Failure> {
        let options = ListVolumesOptionsBuilder::new().filters(filter).build();
        let listed = self.docker()?.list_volumes(Some(options)).await;
        Ok(listed.map_err(|error| failure("list volumes", error))?.volumes.unwrap_or_default())
    }
}
