//! `cargo xtask test`: every test of the workspace, with all that it needs, nothing skipped.
//!
//! What tests are told by environment, and owe in return:
//! - `MUSTER_TEST_DOCKER=1`: the Docker Engine, the machine images and Kubernetes' parts are there; a test that skips now is a failure.
//! - `MUSTER_TEST_NODE_MODULES` and `MUSTER_TEST_SCHEMATHESIS`: the tools for the tests of the HTTP bridge.
//! - `MUSTER_TEST_PACKAGES`: the folder of the Debian packages of the programs under test.
//! - `MUSTER_TEST_DIR`: a folder in which they leave word of what outlives them when they crash; see [`crate::clean`]. In
//!   its `real/` is an empty file by the name of each test that stands on real engines.

mod again;
mod panics;
mod totals;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::{clean, dist, host, kubernetes, setup, shell};
use totals::Totals;

/// The label of Docker objects that tests make without a daemon.
const TEST_LABEL: &str = "io.muster.test";

/// The packages whose tests start clusters of Kubernetes.
const OF_KUBERNETES: [&str; 3] = ["muster-tests", "muster-tests-hosts", "muster-tests-kubernetes"];

/// The package whose tests install the Debian package.
const OF_PACKAGES: &str = "muster-tests-packages";

/// So many panics are said again at the end of a run.
const MOST_PANICS: usize = 20;

/// Whether this program was told to end.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// What tests are told of the things that are set up for them, by the variables' names.
type Environment = [(&'static str, PathBuf)];

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
    let is_whole =
        options.packages.is_empty() || options.packages.iter().any(|package| OF_KUBERNETES.contains(&package.as_str()));
    if is_whole {
        kubernetes::ensure(&cache, false)?;
    }
    let mut environment = vec![("MUSTER_TEST_DOCKER", PathBuf::from("1"))];
    if is_whole {
        let tools = setup::tools::install(&cache)?;
        environment.push(("MUSTER_TEST_NODE_MODULES", tools.node_modules));
        environment.push(("MUSTER_TEST_SCHEMATHESIS", tools.schemathesis));
    }
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
    if options.packages.is_empty() || options.packages.iter().any(|package| package == OF_PACKAGES) {
        environment.push(("MUSTER_TEST_PACKAGES", dist::for_tests()?));
    }

    clean::clean(&test_dir, &[TEST_LABEL])?;
    let result = run_tests(options, &test_dir, &environment);
    let result = result.and_then(|(status, totals)| {
        // Whoever ends the tests does not want some of them again.
        let failed =
            if INTERRUPTED.load(Ordering::Relaxed) { Vec::new() } else { again::of_real_engines(&test_dir, &totals)? };
        let passed_then = again::passing(failed, |name| {
            // What the failed one has left must not disturb this run.
            clean::clean(&test_dir, &[TEST_LABEL])?;
            let exact = ["--tests", "--", "--exact", name];
            Ok(cargo_test(options, &exact, &test_dir, &environment)?.1)
        })?;
        Ok((status, totals, passed_then))
    });
    let leftovers = clean::clean(&test_dir, &[TEST_LABEL])?;
    if leftovers > 0 {
        shell::say(format!("removed {leftovers} things that tests had left behind"));
    }
    let (status, totals, flaky) = result?;
    for panic in totals.panics.said.iter().take(MOST_PANICS) {
        println!("{panic}");
    }
    Ok(report(status, &totals, &flaky))
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

/// Runs the tests that the user has asked for.
fn run_tests(options: &Options, test_dir: &Path, environment: &Environment) -> Result<(ExitStatus, Totals)> {
    shell::say("testing");
    match &options.filter {
        Some(filter) => cargo_test(options, &["--", filter], test_dir, environment),
        None => cargo_test(options, &[], test_dir, environment),
    }
}

/// Runs `cargo test` with these arguments too, showing the output as it comes, and counts.
fn cargo_test(
    options: &Options,
    arguments: &[&str],
    test_dir: &Path,
    environment: &Environment,
) -> Result<(ExitStatus, Totals)> {
    let temporary = test_dir.join("tmp");
    fs::create_dir_all(&temporary).with_context(|| format!("cannot create {}", temporary.display()))?;
    let mut cargo = host::cargo();
    with_scope(cargo.arg("test"), options).arg("--no-fail-fast").args(arguments);
    let mut child = cargo
        .env("MUSTER_TEST_DIR", test_dir)
        .envs(environment.iter().map(|(name, value)| (name, value)))
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
            INTERRUPTED.store(true, Ordering::Relaxed);
            // Tests hold nothing that a polite end would save, and some of them would not hear of it.
            let _ended_already = kill_process_group(group, Signal::KILL);
        }
    });
    Ok(())
}

fn report(status: ExitStatus, totals: &Totals, flaky: &[String]) -> ExitCode {
    for name in &totals.skipped {
        println!("skipped: {name}");
    }
    for name in totals.failed_names.iter().filter(|name| !flaky.contains(name)) {
        println!("failed: {name}");
    }
    for name in flaky {
        println!("FLAKY: {name} failed, and passed when it was run once more by itself. It must be mended.");
    }
    let mut failed = totals.failed;
    if totals.unfinished > 0 || !status.success() && failed == 0 {
        println!("failed: a test program did not compile or ended without a result ({status})");
        failed += 1;
    }
    if !totals.skipped.is_empty() {
        println!("skipped tests count as failed: everything that they need is set up here");
        failed += totals.skipped.len();
    }
    failed -= flaky.len();
    println!("{} passed, {failed} failed", totals.passed + flaky.len());
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
