//! Machines: made, completed, started, looked at, removed.
//!
//! A machine comes to be in three calls: create the container, put the keys into it, start it. A crash between them leaves
//! a container that never ran. Whoever meets one completes it: looking it up, starting it, or creating it again.
//! No other container is started by a look: one that was stopped stays so until it is asked for.
//!
//! Addresses are chosen by what the engine lists, and it does not list what it is still making for a daemon that is gone.
//! So two machines may be given one address; the second cannot start, and is removed and made anew with another.

use std::collections::{BTreeSet, HashMap};
use std::net::Ipv4Addr;
use std::time::Duration;

use bollard::models::{ContainerSummary, NetworkConnectRequest};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, InspectContainerOptions, ListContainersOptionsBuilder,
    RemoveContainerOptionsBuilder, StartContainerOptions, UploadToContainerOptionsBuilder,
};
use bytes::Bytes;
use muster_engine::context::ClusterContext;
use muster_engine::failure::Failure;
use muster_engine::ledger::{Facts, InfraKey, MachineAccess, Present, ResourceKey};
use muster_engine::observed::{Addresses, ObservedResource};
use muster_protocol::model::cluster::MachineShape;
use muster_protocol::{ErrorCode, Name};
use tokio::time::{Instant, sleep};
use zeroize::Zeroizing;

use crate::docker_error::{failure, says, status};
use crate::power::Stage;
use crate::{LocalDriver, capabilities, keys, mark, parameters};

/// How long a removal that is under way may take.
const REMOVAL_LIMIT: Duration = Duration::from_secs(60);
/// How long a name may be taken by a container that does not show yet.
const NAME_LIMIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);

/// A machine's container, found by its marks.
pub(crate) struct FoundMachine {
    pub(crate) id: String,
    pub(crate) stage: Stage,
    address: Option<Ipv4Addr>,
}

impl FoundMachine {
    fn read(cluster: &ClusterContext, container: &ContainerSummary) -> Option<Self> {
        let labels = container.labels.as_ref()?;
        let networks = container.network_settings.as_ref().and_then(|settings| settings.networks.as_ref());
        let is_on = networks.is_some_and(|networks| networks.contains_key(&mark::network_name(cluster)));
        Some(Self {
            id: container.id.clone()?,
            stage: Stage::of(container.state).on_network(is_on),
            address: labels.get(mark::ADDRESS).and_then(|address| address.parse().ok()),
        })
    }
}

impl LocalDriver {
    pub(crate) async fn create_machine(
        &self,
        cluster: &ClusterContext,
        machine: &Name,
        shape: &MachineShape,
    ) -> Result<Present, Failure> {
        let _turn = self.turns.of(cluster.cluster, machine).await;
        let found = match self.find(cluster, machine).await? {
            Some(found) if found.stage == Stage::Leaving => {
                // If this fails, what is left of it is there.
                let removed = self.remove_machine(cluster, machine).await;
                removed.map_err(Failure::in_doubt)?;
                self.create_container(cluster, machine, shape).await?
            }
            Some(found) => found,
            None => self.create_container(cluster, machine, shape).await?,
        };
        // The container is there, whatever is refused from here on.
        self.bring_up(cluster, machine, &found).await.map_err(Failure::in_doubt)
    }

    pub(crate) async fn look_up_machine(
        &self,
        cluster: &ClusterContext,
        machine: &Name,
    ) -> Result<Option<Present>, Failure> {
        let Some(found) = self.find(cluster, machine).await? else { return Ok(None) };
        if found.stage == Stage::New
            && let Err(failure) = self.bring_up(cluster, machine, &found).await
        {
            tracing::warn!(%machine, %failure, "a machine whose creation broke off could not be completed");
            // If it is there all the same, it can be started, with this cause if it comes again, or removed.
            let Some(found) = self.find(cluster, machine).await? else { return Ok(None) };
            return present(cluster, machine, &found).map(Some);
        }
        self.give_keys_anew(cluster, machine, &found).await?;
        present(cluster, machine, &found).map(Some)
    }

    pub(crate) async fn start_machine(&self, cluster: &ClusterContext, machine: &Name) -> Result<Present, Failure> {
        match self.find(cluster, machine).await? {
            Some(found) => self.bring_up(cluster, machine, &found).await,
            None => Err(Failure::not_applied(ErrorCode::NotFound, format!("the container of {machine} is gone"))),
        }
    }

    pub(crate) async fn observe_machines(&self, cluster: &ClusterContext) -> Result<Vec<ObservedResource>, Failure> {
        let observe = |container: ContainerSummary| {
            let name = mark::machine(container.labels.as_ref()?)?;
            let found = FoundMachine::read(cluster, &container)?;
            let addresses = found
                .address
                .map(|address| Addresses { address: address.to_string(), private_address: address.to_string() });
            let power = Some(found.stage.power()?);
            Some(ObservedResource { key: InfraKey::for_machine(name), id: found.id, power, addresses })
        };
        Ok(self.containers_of(cluster, None).await?.into_iter().filter_map(observe).collect())
    }

    pub(crate) async fn remove_machine(&self, cluster: &ClusterContext, machine: &Name) -> Result<(), Failure> {
        let key = &ResourceKey::for_machine(machine.clone());
        let options = || RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        let deadline = Instant::now() + REMOVAL_LIMIT;
        loop {
            let containers = self.containers_of(cluster, Some(key)).await?;
            if containers.is_empty() {
                break;
            }
            for id in containers.into_iter().filter_map(|container| container.id) {
                match self.docker()?.remove_container(&id, Some(options())).await {
                    Ok(()) => {}
                    // Gone, or going: the next list tells.
                    Err(error) if matches!(status(&error), Some(404 | 409)) && Instant::now() < deadline => {
                        sleep(POLL).await;
                    }
                    Err(error) => return Err(failure("remove the machine", error)),
                }
            }
        }
        self.remove_volumes(cluster, key).await
    }

    async fn create_container(
        &self,
        cluster: &ClusterContext,
        machine: &Name,
        shape: &MachineShape,
    ) -> Result<FoundMachine, Failure> {
        let subnet = self.subnet_of(cluster).await?;
        let reservation = {
            let choice = self.reservations.choose(cluster.cluster).await;
            let machines = self.containers_of(cluster, None).await?;
            let mut listed: BTreeSet<Ipv4Addr> = machines
                .iter()
                .filter_map(|one| FoundMachine::read(cluster, one))
                .filter_map(|found| found.address)
                .collect();
            listed.extend(self.addresses_in_use(cluster).await?);
            choice.reserve(subnet, &listed).ok_or_else(|| {
                Failure::not_applied(ErrorCode::Quota, format!("no address is left in {subnet}")).permanent()
            })?
        };

        let name = mark::container_name(cluster, machine);
        let image = self.image(shape.image.as_deref());
        let body =
            parameters::container(cluster, machine, image, shape, reservation.address, &capabilities::of_host()?)?;
        let deadline = Instant::now() + NAME_LIMIT;
        loop {
            let options = CreateContainerOptionsBuilder::new().name(&name).build();
            match self.docker()?.create_container(Some(options), body.clone()).await {
                Ok(created) => {
                    for warning in created.warnings {
                        tracing::warn!(container = %name, "{warning}");
                    }
                    return Ok(FoundMachine { id: created.id, stage: Stage::New, address: Some(reservation.address) });
                }
                Err(error) if status(&error) == Some(409) => {}
                Err(error) => return Err(failure("create the machine", error)),
            }
            // The name is taken: by a creation of ours whose answer was lost, or by somebody else.
            if let Some(found) = self.find(cluster, machine).await? {
                return Ok(found);
            }
            self.refuse_if_foreign(cluster, &name).await?;
            if Instant::now() > deadline {
                let message = format!("the container name {name} is taken, but no container shows");
                return Err(Failure::maybe_applied(ErrorCode::Conflict, message).with_provider_code("409"));
            }
            // Neither ours nor somebody's: the engine takes the name first and shows the container when it is made.
            sleep(POLL).await;
        }
    }

    /// A container of this name without our marks is somebody's: it stays as it is, and the machine cannot be.
    async fn refuse_if_foreign(&self, cluster: &ClusterContext, name: &str) -> Result<(), Failure> {
        let container = match self.docker()?.inspect_container(name, None::<InspectContainerOptions>).await {
            Ok(container) => container,
            Err(error) if status(&error) == Some(404) => return Ok(()),
            Err(error) => return Err(failure("see who has the machine's name", error)),
        };
        let labels = container.config.and_then(|config| config.labels).unwrap_or_default();
        if mark::is_of(&labels, cluster) {
            return Ok(());
        }
        let message = format!("a container {name} exists that is not Muster's");
        Err(Failure::not_applied(ErrorCode::AlreadyExists, message)
            .permanent()
            .with_provider_code("409")
            .with_remedy(format!("see what it is; rename or remove it (`docker rm {name}`)")))
    }

    /// From any stage to a running machine.
    async fn bring_up(
        &self,
        cluster: &ClusterContext,
        machine: &Name,
        found: &FoundMachine,
    ) -> Result<Present, Failure> {
        let present = present(cluster, machine, found)?;
        match found.stage {
            Stage::Running => return Ok(present),
            Stage::Paused => {
                let thawed = self.docker()?.unpause_container(&found.id).await;
                thawed.map_err(|error| failure("resume the machine", error))?;
                return Ok(present);
            }
            Stage::CutOff => {
                self.connect(cluster, machine, found).await?;
                return Ok(present);
            }
            Stage::New => self.put_keys(cluster, machine, &found.id).await?,
            Stage::Stopped => {}
            Stage::Leaving => {
                return Err(Failure::not_applied(ErrorCode::Conflict, format!("{machine} is being removed")));
            }
        }
        let started = self.docker()?.start_container(&found.id, None::<StartContainerOptions>).await;
        match started {
            Ok(()) => Ok(present),
            // Somebody started it since we looked.
            Err(error) if status(&error) == Some(304) => Ok(present),
            Err(error) => {
                if found.stage == Stage::New && says(&error, "Address already in use") {
                    // It never can start, and nothing is in it yet.
                    self.remove_machine(cluster, machine).await?;
                }
                Err(failure("start the machine", error))
            }
        }
    }

    /// Gives the machine the place on the cluster's network that it was made with.
    async fn connect(&self, cluster: &ClusterContext, machine: &Name, found: &FoundMachine) -> Result<(), Failure> {
        let Some(address) = found.address else { return Ok(()) };
        let endpoint_config = Some(parameters::endpoint(machine, address));
        let request = NetworkConnectRequest { container: found.id.clone(), endpoint_config };
        let connected = self.docker()?.connect_network(&mark::network_name(cluster), request).await;
        connected.map_err(|error| failure("connect the machine to the cluster's network", error))
    }

    async fn put_keys(&self, cluster: &ClusterContext, machine: &Name, id: &str) -> Result<(), Failure> {
        self.put_files(id, keys::archive(cluster, machine)?).await
    }

    /// Unpacks a tar at the machine's root.
    pub(crate) async fn put_files(&self, id: &str, archive: Zeroizing<Vec<u8>>) -> Result<(), Failure> {
        let options = UploadToContainerOptionsBuilder::new().path("/").build();
        let put =
            self.docker()?.upload_to_container(id, Some(options), bollard::body_full(Bytes::from_owner(archive))).await;
        put.map_err(|error| failure("put the machine's keys in place", error))
    }

    async fn find(&self, cluster: &ClusterContext, machine: &Name) -> Result<Option<FoundMachine>, Failure> {
        let key = ResourceKey::for_machine(machine.clone());
        Ok(self.containers_of(cluster, Some(&key)).await?.iter().find_map(|one| FoundMachine::read(cluster, one)))
    }

    pub(crate) async fn containers_of(
        &self,
        cluster: &ClusterContext,
        key: Option<&ResourceKey>,
    ) -> Result<Vec<ContainerSummary>, Failure> {
        self.list_containers(&mark::filter(cluster.instance, Some(cluster.cluster), key)).await
    }

    pub(crate) async fn list_containers(
        &self,
        filter: &HashMap<String, Vec<String>>,
    ) -> Result<Vec<ContainerSummary>, Failure> {
        let options = ListContainersOptionsBuilder::new().all(true).filters(filter).build();
        let listed = self.docker()?.list_containers(Some(options)).await;
        listed.map_err(|error| failure("list machines", error))
    }
}

fn present(cluster: &ClusterContext, machine: &Name, found: &FoundMachine) -> Result<Present, Failure> {
    let address = found.address.ok_or_else(|| {
        let message = format!("the container of {machine} has no mark {}", mark::ADDRESS);
        Failure::not_applied(ErrorCode::Provider, message).permanent().with_remedy("delete the machine, or the cluster")
    })?;
    let host_key = keys::public_host_key(cluster, machine)?;
    let access = MachineAccess {
        address: address.to_string(),
        private_address: address.to_string(),
        ssh_port: 22,
        ssh_user: "root".to_owned(),
        host_key,
    };
    Ok(Present { id: found.id.clone(), facts: Facts::Machine(access) })
}
