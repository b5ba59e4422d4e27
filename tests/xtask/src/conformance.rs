//! `cargo xtask conformance`: the same cases for every orchestrator, on one of them, with the count as the last line.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::{host, kubernetes, setup, shell};

/// Options of `cargo xtask conformance`.
#[derive(clap::Args)]
pub struct Options {
    /// The orchestrator; the simulated one needs nothing of the host
    #[arg(long, value_parser = ["sim", "swarm", "kubernetes"])]
    orchestrator: String,
    /// Only cases about this noun or field, or with this in their name
    #[arg(long)]
    only: Option<String>,
    /// Write how the cases ended into docs/reference/conformance.md
    #[arg(long)]
    write_docs: bool,
}

/// Sets up what the orchestrator needs, builds, and runs the suite.
pub fn run(options: &Options) -> Result<ExitCode> {
    if options.orchestrator != "sim" {
        setup::run()?;
    }
    if options.orchestrator == "kubernetes" {
        kubernetes::ensure(&host::cache_dir()?, false)?;
    }
    let packages = ["--package", "musterd", "--package", "muster-client", "--package", "muster-tests-conformance"];
    shell::run(host::cargo().args(["build", "--quiet"]).args(packages))?;
    // Not by `cargo run`, which would compile much a second time, with the features of this one package.
    let mut suite = Command::new(host::target_dir().join("debug/conformance"));
    suite.args(["--orchestrator", &options.orchestrator]);
    if let Some(only) = &options.only {
        suite.args(["--only", only]);
    }
    if options.write_docs {
        suite.arg("--write-docs");
    }
    shell::exit_code(&mut suite)
}
