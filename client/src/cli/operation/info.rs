//! `muster operation info ID`

use clap::Args;
use muster_protocol::OperationId;

use crate::cli::context::Context;
use crate::cli::failure::Result;

/// The arguments.
#[derive(Debug, Args)]
pub struct Info {
    /// The operation's id
    pub id: OperationId,
}

impl Info {
    /// Asks and prints.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        let operation = context.client().await?.operation_info(self.id).await?;
        context.output.thing(&operation)
    }
}
