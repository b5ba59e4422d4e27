//! `muster audit list`

use clap::Args;
use muster_protocol::{Principal, Timestamp};

use crate::cli::context::Context;
use crate::cli::failure::Result;
use crate::cli::moment;

/// The arguments.
#[derive(Debug, Args)]
pub struct List {
    /// Only what was asked for since then: a time, or how long ago, for example `12h`
    #[arg(long, value_name = "TIME", value_parser = moment::past)]
    pub since: Option<Timestamp>,
    /// Only what this principal asked for, for example `user:anna` or `token:ci`
    #[arg(long, value_name = "KIND:NAME")]
    pub principal: Option<Principal>,
    /// At most so many
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
}

impl List {
    /// Asks page by page and prints.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        let records = context.client().await?.audit(self.since, self.principal);
        context.output.list(records, self.limit).await
    }
}
