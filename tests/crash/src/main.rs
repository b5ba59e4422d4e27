//! `cargo xtask crash`: the crash proof, with its verdict as the last line.

use clap::Parser;
use muster_crash::{Options, prove};

/// Stops the daemon at every point, lets every call go wrong, and counts what does not come out right.
#[derive(Parser)]
struct Arguments {
    /// In which order the points are tried.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Only scenarios whose name has this in it.
    #[arg(long)]
    only: Option<String>,
    /// Only this point or call of them.
    #[arg(long)]
    point: Option<u64>,
    /// Only crashes, no calls that go wrong.
    #[arg(long)]
    crashes_only: bool,
}

#[expect(clippy::print_stdout, reason = "its report is its purpose")]
fn main() -> std::process::ExitCode {
    let Arguments { seed, only, point, crashes_only } = Arguments::parse();
    let totals = prove(&Options { only, point, seed, crashes_only }, |line| println!("{line}"));
    println!("{totals}");
    if totals.is_clean() { std::process::ExitCode::SUCCESS } else { std::process::ExitCode::FAILURE }
}
