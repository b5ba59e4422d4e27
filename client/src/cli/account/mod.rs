//! Accounts: `muster account …`, one file a verb.

mod add;
mod check;
mod list;
mod remove;
mod view;

use clap::Subcommand;

use super::context::Context;
use super::failure::Result;

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Add or replace an account
    Add(add::Add),
    /// List accounts
    List(list::List),
    /// Ask the infrastructure with an account
    Check(check::Check),
    /// Remove an account that no cluster uses
    Remove(remove::Remove),
}

impl Verb {
    /// Does it.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        match self {
            Self::Add(add) => add.run(context).await,
            Self::List(list) => list.run(context).await,
            Self::Check(check) => check.run(context).await,
            Self::Remove(remove) => remove.run(context).await,
        }
    }
}
