//! `muster version`: of this command and, where it can be reached, of the daemon.

use clap::Args;
use serde::Serialize;

use super::context::Context;
use super::failure::{Failure, Result};
use super::sheet::{Describe, Sheet};

/// The arguments: none.
#[derive(Debug, Args)]
pub struct Version {}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Versions {
    client: &'static str,
    daemon: Option<String>,
    /// Why the daemon's version is not known.
    daemon_error: Option<String>,
}

impl Version {
    /// Prints; a daemon that is not there is no failure, for this command's own version is known.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        let (daemon, daemon_error) = match daemon_version(context).await {
            Ok(version) => (Some(version), None),
            Err(Failure::Refused(error)) => (None, Some(error.to_string())),
            Err(failure @ (Failure::Operation(_) | Failure::Said(_) | Failure::ReaderGone)) => return Err(failure),
        };
        context.output.thing(&Versions { client: env!("CARGO_PKG_VERSION"), daemon, daemon_error })
    }
}

async fn daemon_version(context: &Context) -> Result<String> {
    Ok(context.client().await?.whoami().await?.daemon_version)
}

impl Describe for Versions {
    fn describe(&self, sheet: &mut Sheet) {
        sheet.field("muster", self.client);
        match (&self.daemon, &self.daemon_error) {
            (Some(version), _) => sheet.field("musterd", version),
            (None, Some(error)) => sheet.field("musterd", format!("not known: {error}")),
            (None, None) => {}
        }
    }
}
