//! `cargo xtask test`: every test of the workspace, with all that it needs, nothing skipped.
//!
//! What tests are told by environment, and owe in return:
//! - `MUSTER_TEST_DOCKER=1`: the Docker Engine and the machine images are there; a test that skips now is a failure.
//! - `MUSTER_TEST_DIR`: a folder in which they leave word of what outlives them when they crash; see [`crate::clean`].

mod totals;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::thread;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::{clean, host, setup, shell};
use totals::Totals;

/// The label of Docker objects that tests make without a daemon.
const TEST_LABEL: &str = "io.muster.test";

/// Options of `cargo xtask test`.
#[derive(clap::Args)]
pub struct Options {
    /// Only this package; may be given several times
    #[arg(short, long = "package")]
    packages: Vec<String>,
    /// Only tests whose name contains this
    filter: Option<String>,
}

/// Sets up, builds, tests, cleans up. The last line is `N passed, N failed`.
pub fn run(options: &Options) -> Result<ExitCode> {
    setup::run()?;
    let cache = host::cache_dir()?;
    let test_dir = cache.join("test");
    // One run at a time on a host: the clean-up takes all test objects to be its own.
    let lock_path = cache.join("test.lock");
    let lock = shell::append_to(&lock_path)?;
    if lock.try_lock().is_err() {
        shell::say("another `cargo xtask test` is running; waiting for its end");
        lock.lock().with_context(|| format!("cannot lock {}", lock_path.display()))?;
    }

    shell::say("building");
    shell::run(with_scope(host::cargo().arg("build"), options).arg("--all-targets"))?;

    clean::clean(&test_dir, &[TEST_LABEL])?;
    let result = run_tests(options, &test_dir);
    let leftovers = clean::clean(&test_dir, &[TEST_LABEL])?;
    if leftovers > 0 {
        shell::say(format!("removed {leftovers} things that tests had left behind"));
    }
    let (status, totals) = result?;
    Ok(report(status, &totals))
}

fn with_scope<'a>(cargo: &'a mut Command, options: &Options) -> &'a mut Command {
    if options.packages.is_empty() {
        return cargo.arg("--workspace");
    }
    for package in &options.packages {
        cargo.args(["--package", package]);
    }
    cargo
}

/// Runs the tests, showing their output as it comes, and counts.
fn run_tests(options: &Options, test_dir: &Path) -> Result<(ExitStatus, Totals)> {
    let temporary = test_dir.join("tmp");
    fs::create_dir_all(&temporary).with_context(|| format!("cannot create {}", temporary.display()))?;
    shell::say("testing");
    let mut cargo = host::cargo();
    with_scope(cargo.arg("test"), options).arg("--no-fail-fast");
    if let Some(filter) = &options.filter {
        cargo.args(["--", filter]);
    }
    let mut child = cargo
        .env("MUSTER_TEST_DOCKER", "1")
        .env("MUSTER_TEST_DIR", test_dir)
        .env("TMPDIR", &temporary)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .context("cannot start cargo test")?;
    pass_signals_on(&child)?;
    let output = child.stdout.take().context("cargo test has no output")?;
    let mut totals = Totals::default();
    for line in BufReader::new(output).split(b'\n') {
        // Bytes, not lines: a test may print what is no UTF-8, and that must not end the run.
        let line = String::from_utf8_lossy(&line.context("cannot read the output of cargo test")?).into_owned();
        println!("{line}");
        totals.read(&line);
    }
    let status = child.wait().context("cannot wait for cargo test")?;
    Ok((status, totals))
}

/// From now on what should end this program ends `cargo test` and the test programs instead, so that what they leave
/// behind is removed as ever.
fn pass_signals_on(child: &Child) -> Result<()> {
    let group = Pid::from_child(child);
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM]).context("cannot wait for signals")?;
    thread::spawn(move || {
        for _ in signals.forever() {
            shell::say("interrupted: ending the tests");
            // Tests hold nothing that a polite end would save, and some of them would not hear of it.
            let _ended_already = kill_process_group(group, Signal::KILL);
        }
    });
    Ok(())
}

fn report(status: ExitStatus, totals: &Totals) -> ExitCode {
    for name in &totals.skipped {
        println!("skipped: {name}");
    }
    for name in &totals.failed_names {
        println!("failed: {name}");
    }
    let mut failed = totals.failed;
    if !status.success() && failed == 0 {
        println!("failed: a test program did not compile or ended without a result ({status})");
        failed = 1;
    }
    if !totals.skipped.is_empty() {
        println!("skipped tests count as failed: everything that they need is set up here");
        failed += totals.skipped.len();
    }
    println!("{} passed, {failed} failed", totals.passed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
