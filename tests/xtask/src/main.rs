//! `cargo xtask`: sets up and runs the demo, the tests and the checks, and packs what is handed out.
//!
//! One file a subcommand. It only starts other programs (`docker`, `apt-get`, `cargo`), so it compiles in seconds.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool: its output is for the terminal")]

mod check;
mod clean;
mod conformance;
mod crash;
mod demo;
mod digest;
mod dist;
mod host;
mod image;
mod kubernetes;
mod perf;
mod setup;
mod shell;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about, disable_help_subcommand = true)]
struct Xtask {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what is missing, start the Docker Engine, build the machine images
    Setup,
    /// Build the machine images if their inputs have changed
    Image(image::Options),
    /// Build Kubernetes' packages and images if their inputs have changed
    Kubernetes(kubernetes::Options),
    /// Set up, build, and show a cluster from its creation to nothing left
    Demo(demo::Options),
    /// Set up, build, and run every test with nothing skipped
    Test(test::Options),
    /// Formatting, lints, dependency rules, docs
    Check(check::Options),
    /// The crash proof: stops the daemon at every point, and lets every call go wrong
    Crash(crash::Options),
    /// The conformance suite on one orchestrator
    Conformance(conformance::Options),
    /// The Debian package, archives, checksums and SBOM
    Dist(dist::Options),
    /// How fast and how small: prints a table, writes target/perf.json
    Perf(perf::Options),
}

fn main() -> ExitCode {
    match run(Xtask::parse().command) {
        Ok(code) => code,
        Err(error) => {
            // Cause and remedy are in the text; a backtrace of this small program helps nobody.
            eprintln!("xtask: {error}");
            error.chain().skip(1).for_each(|cause| eprintln!("because: {cause}"));
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> anyhow::Result<ExitCode> {
    match task {
        Task::Setup => setup::run()?,
        Task::Image(options) => image::run(&options)?,
        Task::Kubernetes(options) => kubernetes::run(&options)?,
        Task::Demo(options) => demo::run(&options)?,
        // Its last line is the totals, so a failed test is an exit code and no error message below them.
        Task::Test(options) => return test::run(&options),
        Task::Dist(options) => dist::run(&options)?,
        Task::Check(options) => check::run(&options)?,
        // Their last words are their own, too.
        Task::Crash(options) => return crash::run(&options),
        Task::Conformance(options) => return conformance::run(&options),
        Task::Perf(options) => return perf::run(&options),
    }
    Ok(ExitCode::SUCCESS)
}
