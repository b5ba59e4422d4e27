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
    // All programs in one build: the measurement starts the daemon and the bridge that lie beside it.
    let packages = ["--package", "musterd", "--package", "muster-bridge", "--package", "muster-tests"];
    let programs = ["--bin", "musterd", "--bin", "muster-bridge", "--bin", "perf"];
    shell::run(host::cargo().args(["build", "--release"]).args(packages).args(programs))?;
    let mut perf = host::cargo();
    perf.args(["run", "--quiet", "--release", "--package", "muster-tests", "--bin", "perf", "--"]);
    shell::exit_code(perf.args(&options.arguments))
}
