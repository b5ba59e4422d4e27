//! `muster service info NAME --cluster CLUSTER`

use clap::Args;
use muster_protocol::Name;

use crate::cli::context::Context;
use crate::cli::failure::Result;

/// The arguments.
#[derive(Debug, Args)]
pub struct Info {
    /// The service
    pub name: Name,
    /// Its cluster
    #[arg(short, long, value_name = "NAME")]
    pub cluster: Name,
}

impl Info {
    /// Asks and prints.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        let service = context.client().await?.service_info(&self.cluster, &self.name).await?;
        context.output.thing(&service)
    }
}
