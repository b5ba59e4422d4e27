//! `muster service update --cluster C -f service.yaml`, or `NAME` with the fields to change

use std::path::PathBuf;

use clap::Args;
use muster_client::{Client, ClientError};
use muster_protocol::model::operation::OperationInfo;
use muster_protocol::model::service::{SecretFile, ServiceSpec};
use muster_protocol::request::IdempotencyKey;
use muster_protocol::{Error, ErrorCode, Name};

use super::secrets::Secrets;
use crate::cli::change::Change;
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Result};
use crate::cli::input;

/// The arguments.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    muster service update web --cluster demo --image nginx:1.27 --wait\n  \
    muster service update web --cluster demo --secret-file token=token.txt\n  \
    muster service update --cluster demo -f service.yaml\n\n\
    With -f the file says all of the service; a secret without a value stays as it was. With NAME, what is\n\
    not given stays as it is, also if somebody else changes it at the same time.")]
pub struct Update {
    /// The service whose fields to change
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    pub name: Option<Name>,
    /// Its cluster
    #[arg(short, long, value_name = "NAME")]
    pub cluster: Name,
    /// A YAML file with the whole service; `-` is standard input
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["Fields"])]
    pub file: Option<PathBuf>,
    #[command(flatten)]
    pub secrets: Secrets,
    #[command(flatten)]
    pub fields: Fields,
    #[command(flatten)]
    pub change: Change,
}

/// The fields that can be changed by flags.
#[derive(Debug, Default, Args)]
#[group(multiple = true)]
pub struct Fields {
    /// Another image
    #[arg(long)]
    pub image: Option<String>,
    /// Another number of copies
    #[arg(long, value_name = "N")]
    pub replicas: Option<u32>,
    /// An environment variable to set; can be given several times
    #[arg(short, long, value_name = "KEY=VALUE", value_parser = input::pair)]
    pub env: Vec<(String, String)>,
    /// An environment variable to take away; can be given several times
    #[arg(long, value_name = "KEY")]
    pub env_remove: Vec<String>,
    /// A label to set; can be given several times
    #[arg(short, long = "label", value_name = "KEY=VALUE", value_parser = input::pair)]
    pub labels: Vec<(String, String)>,
    /// A label to take away; can be given several times
    #[arg(long = "label-remove", value_name = "KEY")]
    pub labels_remove: Vec<String>,
}

impl Update {
    /// Asks for it.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        let Self { name, cluster, file, secrets, fields, change } = self;
        let key = change.idempotency_key.clone();
        let (client, operation) = match (name, file) {
            (Some(name), _) => {
                let client = context.client().await?;
                let operation = change_fields(&client, &cluster, &name, &fields, secrets, key).await?;
                (client, operation)
            }
            (None, Some(file)) => {
                let mut spec: ServiceSpec = input::read_yaml(&file)?;
                secrets.fill(&mut spec)?;
                let client = context.client().await?;
                let operation = client.service_update(&cluster, spec, None, key).await?;
                (client, operation)
            }
            (None, None) => return Err(Failure::usage("no service is said", "give its name, or a file with -f")),
        };
        change.conclude(context, &client, operation).await
    }
}

/// How often the fields are changed anew, of what somebody else has made of the service in the meantime.
const TRIES: u32 = 5;

/// Changes these fields and no others: of a service that somebody else has changed since it was read, nothing is undone.
async fn change_fields(
    client: &Client,
    cluster: &Name,
    name: &Name,
    fields: &Fields,
    secrets: Secrets,
    key: Option<IdempotencyKey>,
) -> Result<OperationInfo> {
    let mut service = client.service_info(cluster, name).await?;
    secrets.fill(&mut service.spec)?;
    // Files are read once: one of them may be standard input.
    let given: Vec<SecretFile> = service.spec.secrets.iter().filter(|secret| secret.value.is_some()).cloned().collect();
    let mut tries = 1;
    loop {
        fields.apply(&mut service.spec)?;
        let update = client.service_update(cluster, service.spec, Some(service.generation), key.clone()).await;
        let refused = match update {
            Err(ClientError::Remote(error)) if is_of_another_generation(&error) && tries < TRIES => error,
            Ok(_) | Err(_) => return Ok(update?),
        };
        tries += 1;
        service = client.service_info(cluster, name).await?;
        for secret in &given {
            // One that is not there any more cannot be given a value: somebody has to look.
            let Some(place) = service.spec.secrets.iter_mut().find(|place| place.name == secret.name) else {
                return Err(refused.into());
            };
            place.value = secret.value.clone();
        }
    }
}

/// There are other conflicts, which reading again does not mend.
fn is_of_another_generation(error: &Error) -> bool {
    error.code == ErrorCode::Conflict && error.details.contains_key("generation")
}

impl Fields {
    fn apply(&self, spec: &mut ServiceSpec) -> Result<()> {
        if let Some(image) = &self.image {
            spec.image = image.clone();
        }
        if let Some(replicas) = self.replicas {
            spec.replicas = replicas;
        }
        spec.env.retain(|key, _| !self.env_remove.contains(key));
        spec.labels.retain(|key, _| !self.labels_remove.contains(key));
        input::collect(&mut spec.env, self.env.clone(), "--env")?;
        input::collect(&mut spec.labels, self.labels.clone(), "--label")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::samples;

    #[test]
    fn what_is_not_given_stays_as_it_is() {
        let before = samples::service().spec;
        let mut after = before.clone();
        let fields = Fields {
            image: Some("nginx:1.27".to_owned()),
            env: vec![("B".to_owned(), "2".to_owned())],
            env_remove: vec!["A".to_owned()],
            ..Fields::default()
        };
        fields.apply(&mut after).unwrap();
        let mut expected = before;
        expected.image = "nginx:1.27".to_owned();
        expected.env = [("B".to_owned(), "2".to_owned())].into();
        assert_eq!(after, expected);
    }
}
