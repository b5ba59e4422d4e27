//! `muster whoami`: the caller as the daemon sees it.

use clap::Args;
use muster_protocol::response;

use super::context::Context;
use super::failure::Result;
use super::sheet::{Describe, Sheet};

/// The arguments: none.
#[derive(Debug, Args)]
pub struct Whoami {}

impl Whoami {
    /// Asks and prints.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        let whoami = context.client().await?.whoami().await?;
        context.output.thing(&whoami)
    }
}

impl Describe for response::Whoami {
    fn describe(&self, sheet: &mut Sheet) {
        sheet.field("Principal", &self.principal);
        sheet.field("User", self.uid);
        sheet.field("Role", &self.role);
        sheet.field("Daemon", &self.daemon_version);
        sheet.field("Instance", self.instance);
    }
}
