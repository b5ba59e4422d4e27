//! `cargo xtask crash`: the crash proof, with its verdict as the last line.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;

use crate::{host, shell};

/// Options of `cargo xtask crash`.
#[derive(clap::Args)]
pub struct Options {
    /// Passed on, for example `--seed 7`; see `cargo xtask crash -- --help`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Builds and runs the proof.
pub fn run(options: &Options) -> Result<ExitCode> {
    let mut crash = host::cargo();
    crash.args(["run", "--quiet", "--package", "muster-crash", "--"]);
    shell::exit_code(crash.args(&options.arguments))
}
