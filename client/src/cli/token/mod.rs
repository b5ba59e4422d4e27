//! Tokens: `muster token …`, one file a verb.

mod create;
mod list;
mod revoke;
mod view;

use clap::Subcommand;

use super::context::Context;
use super::failure::Result;

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Make a token, and show it this once
    Create(create::Create),
    /// List tokens: never the tokens themselves
    List(list::List),
    /// Take a token off the list: it grants nothing any more
    Revoke(revoke::Revoke),
}

impl Verb {
    /// Does it.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        match self {
            Self::Create(create) => create.run(context).await,
            Self::List(list) => list.run(context).await,
            Self::Revoke(revoke) => revoke.run(context).await,
        }
    }
}
