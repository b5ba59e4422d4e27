//! The tree of commands, and the flags that all of them have.

use std::env;
use std::io::IsTerminal;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::context::Context;
use super::failure::Result;
use super::output::Format;
use super::{account, audit, catalog, cluster, completion, container, doctor, events, exit_codes};
use super::{host, manual, operation, reference, service, token, version, whoami};

/// Create, run and remove clusters of container orchestrators, and the services on them
#[derive(Debug, Parser)]
#[command(
    name = "muster",
    version,
    propagate_version = false,
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 110,
    after_help = "See `muster help exit-codes` for what scripts can rely on."
)]
pub struct Cli {
    #[command(flatten)]
    pub globals: Globals,
    #[command(subcommand)]
    pub command: Command,
}

/// The flags of every command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct Globals {
    /// The daemon's socket [default: the user's own daemon's if it runs, else /run/muster/muster.sock]
    #[arg(long, global = true, env = "MUSTER_SOCKET", hide_env_values = true, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// The form of the output: table, json or yaml
    #[arg(short, long, global = true, value_enum, default_value_t, hide_possible_values = true, value_name = "FORMAT")]
    pub output: Format,
    /// No colours [env: NO_COLOR]
    #[arg(long, global = true)]
    pub no_color: bool,
}

impl Globals {
    /// Whether what goes there is coloured: on a terminal, unless it was declined (<https://no-color.org>).
    pub fn styled(&self, to: &impl IsTerminal) -> bool {
        let declined = self.no_color || env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        !declined && to.is_terminal() && env::var_os("TERM").is_none_or(|term| term != "dumb")
    }
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Clusters: create, look at, scale, delete
    #[command(subcommand)]
    Cluster(cluster::Verb),
    /// Services on clusters: create, look at, change, delete
    #[command(subcommand)]
    Service(service::Verb),
    /// Hosts: the machines of clusters
    #[command(subcommand)]
    Host(host::Verb),
    /// Containers: the running copies of services
    #[command(subcommand)]
    Container(container::Verb),
    /// The catalog of service templates
    #[command(subcommand)]
    Catalog(catalog::Verb),
    /// Operations: the records of changes that were asked for
    #[command(subcommand)]
    Operation(operation::Verb),
    /// What happened, from the durable event log
    Events(events::Events),
    /// Accounts at infrastructures
    #[command(subcommand)]
    Account(account::Verb),
    /// Tokens of remote callers
    #[command(subcommand)]
    Token(token::Verb),
    /// The audit trail: who asked for which change
    #[command(subcommand)]
    Audit(audit::Verb),
    /// Look at everything that Muster needs, and say what to do about what is missing
    Doctor(doctor::Doctor),
    /// Who you are to the daemon, and who the daemon is
    Whoami(whoami::Whoami),
    /// The versions of this command and of the daemon
    Version(version::Version),
    /// Print the completions for a shell
    Completion(completion::Completion),
    /// What the exit codes mean
    #[command(long_about = exit_codes::long_about())]
    ExitCodes(exit_codes::ExitCodes),
    /// Print the reference page of this command line, as Markdown
    #[command(hide = true)]
    Reference(reference::Reference),
    /// Write the manual pages of this command line
    #[command(hide = true)]
    Manual(manual::Manual),
}

impl Command {
    /// Does it.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        match self {
            Self::Cluster(verb) => verb.run(context).await,
            Self::Service(verb) => verb.run(context).await,
            Self::Host(verb) => verb.run(context).await,
            Self::Container(verb) => verb.run(context).await,
            Self::Catalog(verb) => verb.run(context).await,
            Self::Operation(verb) => verb.run(context).await,
            Self::Events(events) => events.run(context).await,
            Self::Account(verb) => verb.run(context).await,
            Self::Token(verb) => verb.run(context).await,
            Self::Audit(verb) => verb.run(context).await,
            Self::Doctor(doctor) => doctor.run(context).await,
            Self::Whoami(whoami) => whoami.run(context).await,
            Self::Version(version) => version.run(context).await,
            Self::Completion(completion) => completion.run(context),
            Self::ExitCodes(exit_codes) => exit_codes.run(context),
            Self::Reference(reference) => reference.run(context),
            Self::Manual(manual) => manual.run(),
        }
    }
}

#[cfg(test)]
mod tests;
