//! `cargo xtask conformance`: the same cases for every orchestrator and infrastructure, on one of them, with the count as the
//! last line.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::{host, kubernetes, setup, shell};

/// Options of `cargo xtask conformance`.
#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    place: Place,
    /// Only cases about this noun or field, or with this in their name
    #[arg(long)]
    only: Option<String>,
    /// Write how the cases ended into docs/reference/conformance.md
    #[arg(long)]
    write_docs: bool,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Place {
    /// All cases on this orchestrator; the simulated one needs nothing of the host
    #[arg(long, value_parser = ["sim", "swarm", "kubernetes"])]
    orchestrator: Option<String>,
    /// The cases about machines at this infrastructure
    #[arg(long, value_parser = ["sim", "local", "ec2", "hosts"])]
    infrastructure: Option<String>,
}

/// Sets up what the place needs, builds, and runs the suite.
pub fn run(options: &Options) -> Result<ExitCode> {
    let Place { orchestrator, infrastructure } = &options.place;
    let place: Vec<&String> = orchestrator.iter().chain(infrastructure).collect();
    if place.iter().any(|place| *place != "sim") {
        setup::run()?;
    }
    if orchestrator.as_deref() == Some("kubernetes") {
        kubernetes::ensure(&host::cache_dir()?, false)?;
    }
    let packages = ["--package", "musterd", "--package", "muster-client", "--package", "muster-tests-conformance"];
    shell::run(host::cargo().args(["build", "--quiet"]).args(packages))?;
    // Not by `cargo run`, which would compile much a second time, with the features of this one package.
    let mut suite = Command::new(host::target_dir().join("debug/conformance"));
    suite.args(orchestrator.iter().flat_map(|name| ["--orchestrator", name]));
    suite.args(infrastructure.iter().flat_map(|name| ["--infrastructure", name]));
    if let Some(only) = &options.only {
        suite.args(["--only", only]);
    }
    if options.write_docs {
        suite.arg("--write-docs");
    }
    shell::exit_code(&mut suite)
}
