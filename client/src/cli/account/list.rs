//! `muster account list`

use clap::Args;

use crate::cli::context::Context;
use crate::cli::failure::Result;

/// The arguments: none.
#[derive(Debug, Args)]
pub struct List {}

impl List {
    /// Asks and prints.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        let accounts = context.client().await?.account_list().await?;
        context.output.rows(&accounts)
    }
}
