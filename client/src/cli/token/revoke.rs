//! `muster token revoke NAME`

use clap::Args;
use muster_protocol::Name;
use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::failure::Result;

/// The arguments.
#[derive(Debug, Args)]
pub struct Revoke {
    /// The token's name
    pub name: Name,
}

#[derive(Serialize)]
struct Revoked {
    revoked: Name,
}

impl Revoke {
    /// Asks for it.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        context.client().await?.token_revoke(&self.name).await?;
        let revoked = Revoked { revoked: self.name };
        context.output.said(&revoked, || format!("token {} revoked", revoked.revoked))
    }
}
