//! `muster doctor`: everything that Muster needs, and what to do about what is missing.

use clap::Args;
use muster_protocol::model::account::Finding;

use super::context::Context;
use super::failure::Result;
use super::finding;

/// The arguments: none.
#[derive(Debug, Args)]
pub struct Doctor {}

impl Doctor {
    /// Asks and prints; fails if anything is wrong.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        let client = context.client().await?;
        let socket = context.socket();
        let mut findings = vec![Finding {
            subject: "daemon".to_owned(),
            ok: true,
            message: format!("musterd answers at {}", socket.display()),
            cause: None,
        }];
        findings.extend(client.doctor().await?);
        finding::print(context, &findings, &findings)
    }
}
