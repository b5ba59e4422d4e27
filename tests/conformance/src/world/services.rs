//! A case's services, as their users write them: fields by name, so that a field that there is not yet is an answer too.

use anyhow::{Context, Result, ensure};
use futures::TryStreamExt;
use muster_client::ClientError;
use muster_client::protocol::model::cluster::Orchestrator;
use muster_client::protocol::model::container::{ContainerInfo, ContainerPhase};
use muster_client::protocol::model::operation::OperationInfo;
use muster_client::protocol::model::service::{ServiceInfo, ServiceSpec};
use muster_client::protocol::request::ServiceSource;
use muster_client::protocol::{Cause, Error, ErrorCode, Name};
use serde_json::{Value, json};

use super::{World, refused, succeeded};

/// Runs until it is told to stop, and then stops at once.
const IDLE: &str = "trap 'exit 0' TERM; sleep 1000000 & wait";

impl World {
    /// A service with these fields. If no image and no command are given, it idles.
    ///
    /// # Errors
    /// If a field is not known.
    pub fn spec(&self, short: &str, fields: Value) -> Result<ServiceSpec> {
        let mut service = json!({ "name": self.name(short)?, "image": self.image, "command": ["sh", "-c", IDLE] });
        let (Some(all), Some(given)) = (service.as_object_mut(), fields.as_object()) else {
            anyhow::bail!("fields have names");
        };
        all.extend(given.clone());
        serde_json::from_value(service).context("the model of a service does not have it")
    }

    /// The fields of a service whose copies end at once, again and again.
    pub fn broken(&self) -> Value {
        match self.orchestrator {
            Orchestrator::Sim => json!({ "image": "sim/broken:1" }),
            Orchestrator::Kubernetes | Orchestrator::Swarm | Orchestrator::Mesos | Orchestrator::Unknown(_) => {
                json!({ "command": ["sh", "-c", "echo broken; exit 3"] })
            }
        }
    }

    /// How many milliseconds a version that does not run is given: enough for a real one to be tried.
    pub fn short_deadline_ms(&self) -> u32 {
        if self.orchestrator == Orchestrator::Sim { 2_000 } else { 15_000 }
    }

    /// An image that nobody has.
    pub fn missing_image(&self) -> String {
        match self.orchestrator {
            Orchestrator::Sim => "sim/unpullable:1".to_owned(),
            Orchestrator::Kubernetes | Orchestrator::Swarm | Orchestrator::Mesos | Orchestrator::Unknown(_) => {
                self.image.replace("busybox:", "no-such-image:")
            }
        }
    }

    /// Asks for a service, and does not wait.
    ///
    /// # Errors
    /// As the daemon answers.
    pub async fn ask(&self, spec: ServiceSpec) -> Result<OperationInfo, ClientError> {
        self.owns(&spec.name);
        self.client.service_create(&self.cluster, ServiceSource::Spec(Box::new(spec)), None).await
    }

    /// That a service with these fields is refused by this field, and not made.
    ///
    /// # Errors
    /// If it is accepted, or refused otherwise.
    pub async fn refuses(&self, fields: Value, field: &str) -> Result<Error> {
        let spec = self.spec("refused", fields)?;
        let name = spec.name.clone();
        let error = refused(self.ask(spec).await, ErrorCode::InvalidArgument, field)?;
        refused(self.client.service_info(&self.cluster, &name).await, ErrorCode::NotFound, "service")?;
        Ok(error)
    }

    /// Asks for a service, and waits for the end of the operation, whatever it is.
    ///
    /// # Errors
    /// If it is refused.
    pub async fn create(&self, short: &str, fields: Value) -> Result<OperationInfo> {
        let asked = self.ask(self.spec(short, fields)?).await?;
        Ok(self.client.wait(asked.id).await?)
    }

    /// What a service that cannot run says is the cause, before its operation ends.
    ///
    /// # Errors
    /// If it says none.
    pub async fn trouble(&self, service: &Name) -> Result<Cause> {
        self.until("a cause of the service", async || Ok(self.info(service).await?.cause)).await
    }

    /// Asks for a service, and waits until it runs.
    ///
    /// # Errors
    /// If it does not.
    pub async fn run(&self, short: &str, fields: Value) -> Result<ServiceInfo> {
        succeeded(self.create(short, fields).await?)?;
        self.info(&self.name(short)?).await
    }

    /// Asks for another version of a service, and waits for the end of the operation, whatever it is.
    ///
    /// # Errors
    /// If it is refused.
    pub async fn update(&self, spec: ServiceSpec) -> Result<OperationInfo> {
        let asked = self.client.service_update(&self.cluster, spec, None, None).await?;
        Ok(self.client.wait(asked.id).await?)
    }

    /// Asks for a service once more, and waits for the end of the operation, whatever it is.
    ///
    /// # Errors
    /// If it is refused.
    pub async fn refresh(&self, service: &Name) -> Result<OperationInfo> {
        let asked = self.client.service_refresh(&self.cluster, service, None).await?;
        Ok(self.client.wait(asked.id).await?)
    }

    /// Address, repository and tag of the image that services run.
    ///
    /// # Errors
    /// If it is in no registry.
    pub fn image_in_registry(&self) -> Result<(&str, &str, &str)> {
        let (address, name) = self.image.split_once('/').context("the image has no registry")?;
        let (repository, tag) = name.rsplit_once(':').context("the image has no tag")?;
        Ok((address, repository, tag))
    }

    /// Asks for another number of copies, and waits for them.
    ///
    /// # Errors
    /// If they do not come.
    pub async fn scale(&self, service: &Name, replicas: u32) -> Result<ServiceInfo> {
        let asked = self.client.service_scale(&self.cluster, service, replicas, None).await?;
        succeeded(self.client.wait(asked.id).await?)?;
        self.info(service).await
    }

    /// Removes a service, and waits until it is gone.
    ///
    /// # Errors
    /// If it does not go.
    pub async fn remove(&self, service: &Name) -> Result<OperationInfo> {
        let asked = self.client.service_delete(&self.cluster, service, None).await?;
        succeeded(self.client.wait(asked.id).await?)
    }

    /// What is known of a service.
    ///
    /// # Errors
    /// If it is not there.
    pub async fn info(&self, service: &Name) -> Result<ServiceInfo> {
        let info = self.client.service_info(&self.cluster, service).await?;
        // Holds at any time, so it is looked at every time.
        ensure!(info.ready <= info.wanted, "more copies are ready than are wanted: {} of {}", info.ready, info.wanted);
        Ok(info)
    }

    /// The copies of a service, those that have ended among them.
    ///
    /// # Errors
    /// If the daemon does not say.
    pub async fn containers(&self, service: &Name) -> Result<Vec<ContainerInfo>> {
        Ok(self.client.containers(Some(&self.cluster), Some(service)).try_collect().await?)
    }

    /// The copies of a service that run.
    ///
    /// # Errors
    /// If the daemon does not say.
    pub async fn running(&self, service: &Name) -> Result<Vec<ContainerInfo>> {
        let all = self.containers(service).await?;
        Ok(all.into_iter().filter(|copy| copy.phase == ContainerPhase::Running).collect())
    }
}
