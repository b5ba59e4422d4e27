//! The figures of `cargo xtask perf`: how fast and how small, each beside a baseline that is measured in the same run.
//!
//! - `figure`: a figure, the table, the file
//! - `load`: callers in a closed loop, and what they waited
//! - `daemon`: a private `musterd`, and what `/proc` says of it
//! - `echo`, `group_commit`, `kubeadm`: the baselines: the least that a socket and a disk cost, and a cluster by hand
//! - `socket`, `bridge`, `fleet`, `swarm`, `kubernetes`: the measurements
//!
//! Nothing here is a timed test: a host that is busy makes a figure worse, not a build red.

pub mod bridge;
pub mod daemon;
pub mod echo;
pub mod figure;
mod fleet;
mod group_commit;
mod kubeadm;
mod kubernetes;
mod load;
mod socket;
mod swarm;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use figure::Figure;

/// What to measure, and for how long.
#[derive(Clone, Debug)]
pub struct Options {
    /// The daemon's program.
    pub musterd: PathBuf,
    /// This program, which also serves the echo.
    pub perf: PathBuf,
    /// An empty folder on the disk that is to be measured.
    pub dir: PathBuf,
    /// How long each side of a comparison is under load.
    pub load_time: Duration,
    /// Simulated clusters.
    pub clusters: usize,
    /// How long the idle daemon is watched.
    pub idle_time: Duration,
    /// How often a real cluster is made, each way.
    pub swarm_rounds: usize,
}

/// A part of the measurements.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Part {
    /// Requests over the socket
    Socket,
    /// Requests over the HTTP bridge
    Bridge,
    /// Thousands of simulated clusters, and none
    Fleet,
    /// A real Swarm cluster; needs the Docker Engine and the machine image
    Swarm,
    /// A real Kubernetes cluster; needs the Docker Engine, the machine image and what `cargo xtask kubernetes` makes
    Kubernetes,
}

/// Measures one part.
pub async fn measure(part: Part, options: &Options) -> Result<Vec<Figure>> {
    match part {
        Part::Socket => socket::measure(options).await,
        Part::Bridge => bridge::measure(options).await,
        Part::Fleet => fleet::measure(options).await,
        Part::Swarm => swarm::measure(options).await,
        Part::Kubernetes => kubernetes::measure(options).await,
    }
}

/// Says what happens now.
#[expect(clippy::print_stdout, reason = "progress on the terminal")]
fn say(text: &str) {
    println!("perf: {text}");
}
