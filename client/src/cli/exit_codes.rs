//! `muster exit-codes` and `muster help exit-codes`: what scripts can rely on.

use clap::Args;

use super::context::Context;
use super::exit::{Exit, ExitMeaning};
use super::failure::Result;
use super::table::{Cell, Row};

/// The arguments: none.
#[derive(Debug, Args)]
pub struct ExitCodes {}

impl ExitCodes {
    /// Prints them.
    pub fn run(self, context: &mut Context) -> Result<()> {
        let meanings = Exit::ALL.map(|exit| ExitMeaning { code: exit.code(), meaning: exit.meaning() });
        context.output.rows(&meanings)
    }
}

/// The same, as help.
pub fn long_about() -> String {
    let lines: Vec<String> = Exit::ALL.iter().map(|exit| format!("{:>5}  {}", exit.code(), exit.meaning())).collect();
    format!("What the exit codes mean:\n\n{}", lines.join("\n"))
}

impl Row for ExitMeaning {
    const HEADER: &'static [&'static str] = &["CODE", "MEANING"];

    fn cells(&self, _now: muster_protocol::Timestamp) -> Vec<Cell> {
        vec![self.code.into(), self.meaning.into()]
    }
}
