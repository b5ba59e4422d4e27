//! `muster cluster docker-context NAME`

use std::io::IsTerminal as _;
use std::path::PathBuf;

use clap::Args;
use muster_protocol::model::access::AccessKind;

use super::access::{AccessArgs, write_private};
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Result};

/// The arguments.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  muster cluster docker-context demo | docker context import demo - && docker --context demo node ls\n  \
    muster cluster docker-context demo --valid-for 1h --file demo.dockercontext\n\n\
    It allows everything on the machine of a manager, so it takes the role admin. `muster cluster renew` ends what was \
    given out before."
)]
pub struct DockerContext {
    #[command(flatten)]
    pub wanted: AccessArgs,
    /// Write it to this file instead of standard output
    #[arg(long, value_name = "PATH")]
    pub file: Option<PathBuf>,
}

impl DockerContext {
    /// Asks for it and puts it where it was wanted.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        if self.file.is_none() && std::io::stdout().is_terminal() {
            let remedy =
                format!("add `| docker context import {} -`, or write it to a file with --file", self.wanted.name);
            return Err(Failure::usage("an archive is not for a terminal", &remedy));
        }
        let file = self.wanted.ask(context, AccessKind::DockerContext, None).await?;
        match &self.file {
            Some(path) => {
                write_private(path, file.content.expose())?;
                context.hint(&format!("{} has the role {} until {}", path.display(), file.role, file.not_after));
                Ok(())
            }
            None => context.output.bytes(file.content.expose()),
        }
    }
}
