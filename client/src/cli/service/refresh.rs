//! `muster service refresh NAME --cluster C`

use clap::Args;
use muster_protocol::Name;

use crate::cli::change::Change;
use crate::cli::context::Context;
use crate::cli::failure::Result;

/// The arguments.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    muster service refresh web --cluster demo --wait\n\n\
    A tag is resolved to a digest once for each submission, and all copies run that digest. This asks the\n\
    registry again. If the tag means another digest by now, the copies are replaced as by an update; if it\n\
    means the same, they go on.")]
pub struct Refresh {
    /// The service
    pub name: Name,
    /// Its cluster
    #[arg(short, long, value_name = "NAME")]
    pub cluster: Name,
    #[command(flatten)]
    pub change: Change,
}

impl Refresh {
    /// Asks for it.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        let Self { name, cluster, change } = self;
        let client = context.client().await?;
        let operation = client.service_refresh(&cluster, &name, change.idempotency_key.clone()).await?;
        change.conclude(context, &client, operation).await
    }
}
