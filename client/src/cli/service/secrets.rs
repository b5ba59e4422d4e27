//! `--secret-file`: secrets of a service from files, so that they stand neither in the service's file nor in arguments.

use clap::Args;
use muster_protocol::Error;
use muster_protocol::model::service::ServiceSpec;

use crate::cli::failure::Result;
use crate::cli::input;

/// Secrets from files.
#[derive(Debug, Default, Args)]
pub struct Secrets {
    /// The value of one of the service's `secrets`, from a file; `-` is standard input. Can be given several times
    #[arg(long, value_name = "NAME=FILE", value_parser = input::pair)]
    secret_file: Vec<(String, String)>,
}

impl Secrets {
    /// Fills them into the service.
    pub fn fill(self, spec: &mut ServiceSpec) -> Result<()> {
        for (name, path) in self.secret_file {
            let Some(secret) = spec.secrets.iter_mut().find(|secret| secret.name.as_str() == name) else {
                let message = format!("the service `{}` has no secret `{name}`", spec.name);
                let remedy = format!("add it to the service's `secrets`: `- name: {name}`");
                return Err(Error::invalid("secrets", message).with_remedy(remedy).into());
            };
            secret.value = Some(input::secret_of_file(path.as_ref())?);
        }
        Ok(())
    }
}
