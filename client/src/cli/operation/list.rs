//! `muster operation list`

use clap::Args;
use muster_protocol::Name;

use crate::cli::context::Context;
use crate::cli::failure::Result;

/// The arguments.
#[derive(Debug, Args)]
pub struct List {
    /// Only those of the cluster that has this name, or had it last
    #[arg(short, long, value_name = "NAME")]
    pub cluster: Option<Name>,
    /// At most so many
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
}

impl List {
    /// Asks page by page and prints.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        let client = context.client().await?;
        context.output.list(client.operations(self.cluster.as_ref()), self.limit).await
    }
}
