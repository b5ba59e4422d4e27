//! `muster host info ID`

use clap::Args;
use muster_protocol::MachineId;

use crate::cli::context::Context;
use crate::cli::failure::Result;

/// The arguments.
#[derive(Debug, Args)]
pub struct Info {
    /// The host's id, as `muster host list` shows it
    pub id: MachineId,
}

impl Info {
    /// Asks and prints.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        let host = context.client().await?.host_info(self.id).await?;
        context.output.thing(&host)
    }
}
