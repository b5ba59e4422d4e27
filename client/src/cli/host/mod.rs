//! Hosts: `muster host …`, one file a verb.

mod info;
mod list;
mod view;

use clap::Subcommand;

use super::context::Context;
use super::failure::Result;

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List hosts
    List(list::List),
    /// Everything about one host
    Info(info::Info),
}

impl Verb {
    /// Does it.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        match self {
            Self::List(list) => list.run(context).await,
            Self::Info(info) => info.run(context).await,
        }
    }
}
