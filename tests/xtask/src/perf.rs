//! `cargo xtask perf`: the figures, from a release build.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;

use crate::{host, setup, shell};

/// Options of `cargo xtask perf`.
#[derive(clap::Args)]
pub struct Options {
    /// Passed on; see `cargo xtask perf -- --help`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Sets up, builds, measures. Its figures go to `target/perf.json`.
pub fn run(options: &Options) -> Result<ExitCode> {
    setup::run()?;
    shell::say("building for release (minutes, the first time)");
    // Both programs in one build: the measurement starts the daemon that lies beside it.
    let programs = ["--package", "musterd", "--package", "muster-tests", "--bin", "musterd", "--bin", "perf"];
    shell::run(host::cargo().args(["build", "--release"]).args(programs))?;
    let mut perf = host::cargo();
    perf.args(["run", "--quiet", "--release", "--package", "muster-tests", "--bin", "perf", "--"]);
    shell::exit_code(perf.args(&options.arguments))
}
