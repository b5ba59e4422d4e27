//! Services: `muster service …`, one file a verb.

mod create;
mod delete;
mod exec;
mod info;
mod list;
mod logs;
mod port_forward;
mod refresh;
mod scale;
mod secrets;
mod terminal;
mod update;
mod view;

use clap::Subcommand;

use super::context::Context;
use super::failure::Result;

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Create a service, or the services of a template
    Create(create::Create),
    /// List services
    List(list::List),
    /// Everything about one service
    Info(info::Info),
    /// Change a service
    Update(update::Update),
    /// Change the number of copies
    Scale(scale::Scale),
    /// Ask the registry again what the image's tag means
    Refresh(refresh::Refresh),
    /// The output of a service
    Logs(logs::Logs),
    /// Run a command in a container of a service
    Exec(exec::Exec),
    /// Reach a port of a service from this host
    PortForward(port_forward::PortForward),
    /// Delete a service
    Delete(delete::Delete),
}

impl Verb {
    /// Does it.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        match self {
            Self::Create(create) => create.run(context).await,
            Self::List(list) => list.run(context).await,
            Self::Info(info) => info.run(context).await,
            Self::Update(update) => update.run(context).await,
            Self::Scale(scale) => scale.run(context).await,
            Self::Refresh(refresh) => refresh.run(context).await,
            Self::Logs(logs) => logs.run(context).await,
            Self::Exec(exec) => exec.run(context).await,
            Self::PortForward(port_forward) => port_forward.run(context).await,
            Self::Delete(delete) => delete.run(context).await,
        }
    }
}
