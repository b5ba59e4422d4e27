//! The audit trail: `muster audit …`, one file a verb.

mod list;
mod verify;
mod view;

use clap::Subcommand;

use super::context::Context;
use super::failure::Result;

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Who asked for which change, and what came of it, newest first
    List(list::List),
    /// Check that every record is as it was written
    Verify(verify::Verify),
}

impl Verb {
    /// Does it.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        match self {
            Self::List(list) => list.run(context).await,
            Self::Verify(verify) => verify.run(context).await,
        }
    }
}
