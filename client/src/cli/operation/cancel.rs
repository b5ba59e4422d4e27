//! `muster operation cancel ID`

use clap::Args;
use muster_protocol::OperationId;

use crate::cli::change::title;
use crate::cli::context::Context;
use crate::cli::failure::Result;

/// The arguments.
#[derive(Debug, Args)]
pub struct Cancel {
    /// The operation's id
    pub id: OperationId,
}

impl Cancel {
    /// Asks for it.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        let operation = context.client().await?.operation_cancel(self.id).await?;
        context.output.said(&operation, || format!("{} is {}", title(&operation), operation.phase))
    }
}
