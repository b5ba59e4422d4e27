//! `muster cluster list`

use clap::Args;

use crate::cli::context::Context;
use crate::cli::failure::Result;

/// The arguments.
#[derive(Debug, Args)]
pub struct List {
    /// At most so many
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
}

impl List {
    /// Asks page by page and prints.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        let client = context.client().await?;
        context.output.list(client.clusters(), self.limit).await
    }
}
