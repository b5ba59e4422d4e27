//! `cargo xtask perf`: measures, prints a table, writes `target/perf.json`.

#![allow(clippy::print_stdout, reason = "its table is its purpose")]

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand, ValueEnum};
use muster_tests::perf::figure::{self, Figure};
use muster_tests::perf::{Options, Part, bridge, echo, measure};
use tokio::signal::unix::{SignalKind, signal};

/// How fast and how small Muster is, beside baselines of the same run.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    helper: Option<Helper>,
    /// Only this part; may be given several times
    #[arg(long, value_enum)]
    only: Vec<Part>,
    /// Seconds of load on each side of a comparison
    #[arg(long, default_value_t = 6)]
    load_seconds: u64,
    /// Simulated clusters
    #[arg(long, default_value_t = 2000)]
    clusters: usize,
    /// Seconds for which the idle daemon is watched
    #[arg(long, default_value_t = 40)]
    idle_seconds: u64,
    /// How often a real cluster is made, each way
    #[arg(long, default_value_t = 3)]
    swarm_rounds: usize,
}

/// What this program starts of itself.
#[derive(Subcommand)]
enum Helper {
    /// Serves the echo that requests are held against
    #[command(hide = true)]
    EchoServer(echo::ServerOptions),
    /// Serves the body that requests over the bridge are held against
    #[command(hide = true)]
    HttpServer(bridge::BareOptions),
}

/// As the daemon's, so that a baseline is not slower for its allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    match arguments.helper {
        Some(Helper::EchoServer(options)) => return echo::serve(options).await.map(|()| ExitCode::SUCCESS),
        Some(Helper::HttpServer(options)) => return bridge::serve(options).await.map(|()| ExitCode::SUCCESS),
        None => {}
    }
    let mut terminated = signal(SignalKind::terminate())?;
    // When a signal comes, the measurement is dropped, and with it every process and container that it started.
    tokio::select! {
        ended = run(arguments) => ended,
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
        _ = terminated.recv() => bail!("terminated"),
    }
}

async fn run(arguments: Arguments) -> Result<ExitCode> {
    let perf = std::env::current_exe().context("this program does not know where it is")?;
    let target = perf.ancestors().nth(2).context("this program is not in cargo's target folder")?.to_owned();
    let musterd = perf.with_file_name("musterd");
    if !musterd.exists() {
        bail!("no {}; build it first, as `cargo xtask perf` does", musterd.display());
    }
    // On the disk that holds the checkout: a temporary folder may be in memory, where fsync costs nothing.
    let folder = tempfile::Builder::new().prefix("perf-").tempdir_in(&target).context("cannot make a folder")?;
    let parts = if arguments.only.is_empty() { Part::value_variants().to_vec() } else { arguments.only };
    let mut figures = Vec::new();
    let mut failed = Vec::new();
    for part in parts {
        let options = Options {
            musterd: musterd.clone(),
            perf: perf.clone(),
            dir: folder.path().to_owned(),
            load_time: Duration::from_secs(arguments.load_seconds),
            clusters: arguments.clusters,
            idle_time: Duration::from_secs(arguments.idle_seconds),
            swarm_rounds: arguments.swarm_rounds,
        };
        match measure(part, &options).await {
            Ok(measured) => figures.extend(measured),
            Err(error) => failed.push(format!("{part:?} was not measured: {error:#}")),
        }
    }
    report(&figures, &target.join("perf.json"))?;
    for failure in &failed {
        println!("{failure}");
    }
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn report(figures: &[Figure], path: &Path) -> Result<()> {
    figure::write(figures, path)?;
    let judged = figures.iter().filter_map(|figure| figure.ok);
    let (met, all) = (judged.clone().filter(|ok| *ok).count(), judged.count());
    println!("\n{}\n{met} of {all} targets met; {}", figure::table(figures), path.display());
    Ok(())
}
