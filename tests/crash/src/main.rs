//! `cargo xtask crash`: the crash proof, with its verdict as the last line.

use clap::Parser;
use muster_crash::{Options, prove};

/// The whole proof has more.
const LEAST_POINTS: u64 = 13_000;

/// Stops the daemon at every point, lets every call go wrong, fills the disk at every write, and counts what does not come out right.
#[derive(Parser)]
struct Arguments {
    /// In which order the points are tried.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Only scenarios whose name has this in it.
    #[arg(long)]
    only: Option<String>,
    /// Only this point, call or write of them.
    #[arg(long)]
    point: Option<u64>,
    /// Only one crash a run: no second one, no calls that go wrong, no full disk.
    #[arg(long)]
    crashes_only: bool,
}

#[expect(clippy::print_stdout, reason = "its report is its purpose")]
fn main() -> std::process::ExitCode {
    let Arguments { seed, only, point, crashes_only } = Arguments::parse();
    let is_whole = only.is_none() && point.is_none() && !crashes_only;
    let totals = prove(&Options { only, point, seed, crashes_only }, |line| println!("{line}"));
    if is_whole && totals.points < LEAST_POINTS {
        println!("FAILED: fewer than {LEAST_POINTS} points, so the proof looks past something");
        return std::process::ExitCode::FAILURE;
    }
    println!("{}", totals.help());
    println!("{totals}");
    if totals.is_clean() { std::process::ExitCode::SUCCESS } else { std::process::ExitCode::FAILURE }
}
