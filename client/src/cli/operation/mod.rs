//! Operations: `muster operation …`, one file a verb.

mod cancel;
mod info;
mod list;
mod view;
mod watch;

use clap::Subcommand;

use super::context::Context;
use super::failure::Result;

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List operations, newest first
    List(list::List),
    /// One operation as it is now
    Info(info::Info),
    /// Watch an operation until it ends, and end with its result
    Watch(watch::Watch),
    /// End an operation; what was asked for before it is restored
    Cancel(cancel::Cancel),
}

impl Verb {
    /// Does it.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        match self {
            Self::List(list) => list.run(context).await,
            Self::Info(info) => info.run(context).await,
            Self::Watch(watch) => watch.run(context).await,
            Self::Cancel(cancel) => cancel.run(context).await,
        }
    }
}
