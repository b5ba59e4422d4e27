//! `muster service update --cluster C -f service.yaml`, or `NAME` with the fields to change

use std::path::PathBuf;

use clap::Args;
use muster_protocol::Name;
use muster_protocol::model::service::ServiceSpec;

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
    not given stays as it is.")]
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
        let (client, mut spec) = match (name, file) {
            (Some(name), _) => {
                let client = context.client().await?;
                let mut spec = client.service_info(&cluster, &name).await?.spec;
                fields.apply(&mut spec)?;
                (client, spec)
            }
            (None, Some(file)) => {
                let spec: ServiceSpec = input::read_yaml(&file)?;
                (context.client().await?, spec)
            }
            (None, None) => return Err(Failure::usage("no service is said", "give its name, or a file with -f")),
        };
        secrets.fill(&mut spec)?;
        let operation = client.service_update(&cluster, spec, change.idempotency_key.clone()).await?;
        change.conclude(context, &client, operation).await
    }
}

impl Fields {
    fn apply(self, spec: &mut ServiceSpec) -> Result<()> {
        if let Some(image) = self.image {
            spec.image = image;
        }
        if let Some(replicas) = self.replicas {
            spec.replicas = replicas;
        }
        spec.env.retain(|key, _| !self.env_remove.contains(key));
        spec.labels.retain(|key, _| !self.labels_remove.contains(key));
        input::collect(&mut spec.env, self.env, "--env")?;
        input::collect(&mut spec.labels, self.labels, "--label")
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
