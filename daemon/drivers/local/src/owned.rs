//! Everything that carries our marks, and volumes that outlived their machine.

use std::collections::{HashMap, HashSet};

use bollard::models::Volume;
use bollard::query_parameters::{ListVolumesOptionsBuilder, RemoveVolumeOptionsBuilder};
use muster_engine::context::ClusterContext;
use muster_engine::driver::Owned;
use muster_engine::failure::Failure;
use muster_engine::ledger::{Facts, Present, ResourceKey};
use muster_protocol::{ClusterId, InstanceId};

use crate::LocalDriver;
use crate::docker_error::{failure, status};
use crate::mark;

impl LocalDriver {
    /// Containers, networks, and volumes whose container is lost: these stand for their machine.
    pub(crate) async fn everything_owned(
        &self,
        instance: InstanceId,
        cluster: Option<ClusterId>,
    ) -> Result<Vec<Owned>, Failure> {
        let filter = mark::filter(instance, cluster, None);
        let mut owned = Vec::new();
        for network in self.list_networks(&filter).await? {
            owned.extend(read(network.id, network.labels.as_ref()));
        }
        for container in self.list_containers(&filter).await? {
            owned.extend(read(container.id, container.labels.as_ref()));
        }
        let whole: HashSet<_> = owned.iter().map(|owned: &Owned| (owned.cluster, owned.key.clone())).collect();
        let mut lost = HashSet::new();
        for volume in self.list_volumes(&filter).await? {
            let Some(volume) = read(Some(volume.name), Some(&volume.labels)) else { continue };
            let owner = (volume.cluster, volume.key.clone());
            if !whole.contains(&owner) && lost.insert(owner) {
                owned.push(volume);
            }
        }
        Ok(owned)
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

fn read(id: Option<String>, labels: Option<&HashMap<String, String>>) -> Option<Owned> {
    let (cluster, key) = mark::read(labels?)?;
    Some(Owned { cluster, key, present: Present { id: id?, facts: Facts::None } })
}
