//! `muster operation watch ID`: come back to an operation.

use clap::Args;
use muster_protocol::OperationId;

use crate::cli::context::Context;
use crate::cli::failure::Result;
use crate::cli::wait;

/// The arguments.
#[derive(Debug, Args)]
pub struct Watch {
    /// The operation's id
    pub id: OperationId,
}

impl Watch {
    /// Shows it until it ends.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        let client = context.client().await?;
        wait::watch(context, self.id, client.operation_watch(self.id)).await
    }
}
