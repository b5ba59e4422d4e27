//! `muster account add NAME …` or `-f account.yaml`

use std::path::PathBuf;

use clap::Args;
use muster_protocol::Name;
use muster_protocol::model::account::AccountSpec;
use muster_protocol::model::cluster::Infrastructure;

use crate::cli::context::Context;
use crate::cli::failure::{Failure, Result};
use crate::cli::input;
use crate::cli::kinds;

/// The arguments.
#[derive(Debug, Args)]
#[command(
    after_help = "Credentials are only read from files or standard input, because every user of this machine can\n\
    see arguments (ps). Of a file with one line, the line's end is not part of the value; one\n\
    with several lines is taken as it is."
)]
pub struct Add {
    /// The account's name
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    pub name: Option<Name>,
    /// A YAML file with the account; `-` is standard input
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["infrastructure", "endpoint", "credential_file", "defaults"])]
    pub file: Option<PathBuf>,
    /// The kind of infrastructure
    #[arg(long, value_parser = kinds::infrastructures(), required_unless_present = "file", value_name = "KIND")]
    pub infrastructure: Option<Infrastructure>,
    /// Where it answers, if not at its usual place
    #[arg(long)]
    pub endpoint: Option<String>,
    /// A credential, from a file; `-` is standard input. Can be given several times
    #[arg(long, value_name = "KEY=FILE", value_parser = input::pair)]
    pub credential_file: Vec<(String, String)>,
    /// A default for the clusters that use it, for example image=…; can be given several times
    #[arg(long = "default", value_name = "KEY=VALUE", value_parser = input::pair)]
    pub defaults: Vec<(String, String)>,
}

impl Add {
    /// Asks for it.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        let spec = self.spec()?;
        let account = context.client().await?.account_add(spec).await?;
        context.output.said(&account, || format!("account {} kept", account.name))?;
        context.hint(&format!("check it with `muster account check {}`", account.name));
        Ok(())
    }

    fn spec(self) -> Result<AccountSpec> {
        if let Some(file) = self.file {
            return input::read_yaml(&file);
        }
        let (Some(name), Some(infrastructure)) = (self.name, self.infrastructure) else {
            let remedy = "give NAME and --infrastructure, or a file with -f";
            return Err(Failure::usage("the account is not said completely", remedy));
        };
        let mut spec = AccountSpec {
            name,
            infrastructure,
            endpoint: self.endpoint,
            credentials: Default::default(),
            defaults: Default::default(),
        };
        let mut credentials = Vec::new();
        for (key, path) in self.credential_file {
            credentials.push((key, input::value_of_file(path.as_ref())?));
        }
        input::collect(&mut spec.credentials, credentials, "--credential-file")?;
        input::collect(&mut spec.defaults, self.defaults, "--default")?;
        Ok(spec)
    }
}
