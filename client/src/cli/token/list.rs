//! `muster token list`

use clap::Args;

use crate::cli::context::Context;
use crate::cli::failure::Result;

/// The arguments: none.
#[derive(Debug, Args)]
pub struct List {}

impl List {
    /// Asks page by page and prints.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        let tokens = context.client().await?.tokens();
        context.output.list(tokens, None).await
    }
}
