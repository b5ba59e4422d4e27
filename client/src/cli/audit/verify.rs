//! `muster audit verify`

use clap::Args;

use super::view;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::{Failure, Result};

/// The arguments: none.
#[derive(Debug, Args)]
pub struct Verify {}

impl Verify {
    /// Asks and prints; fails if the chain is broken.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        let verification = context.client().await?.audit_verify().await?;
        context.output.said(&verification, || view::verdict(&verification))?;
        if verification.broken.is_none() { Ok(()) } else { Err(Failure::Said(Exit::Failed)) }
    }
}
