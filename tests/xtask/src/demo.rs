//! `cargo xtask demo`: a real cluster of Swarm or Kubernetes, from one command to a running service and back to nothing.
//!
//! It plays a user: every command is shown as it would be typed, is really run, and is held against what it should give.
//! All of it lives in one folder of the cache, so that what a killed run left is found by the next.

mod fetch;
mod muster;
mod orchestrator;
mod parts;
mod rest;
mod story;
mod tools;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::{clean, host, image, kubernetes, setup, shell};
use orchestrator::Orchestrator;
use parts::DemoParts;

/// Options of `cargo xtask demo`.
#[derive(clap::Args)]
pub struct Options {
    /// Which orchestrator is shown
    #[arg(long, value_enum, default_value_t)]
    orchestrator: Orchestrator,
    /// Leave the cluster and its daemon up, and say how to go on with them
    #[arg(long)]
    keep: bool,
    /// Only remove what an earlier demo left
    #[arg(long, conflicts_with = "keep")]
    clean: bool,
}

/// Sets up, builds, shows, and leaves nothing.
pub fn run(options: &Options) -> Result<()> {
    let cache = host::cache_dir()?;
    let folder = cache.join("demo");
    if options.clean {
        let _lock = lock(&cache)?;
        return tidy(&folder);
    }
    setup::run()?;
    if options.orchestrator == Orchestrator::Kubernetes {
        kubernetes::ensure(&cache, false)?;
    }
    build()?;
    let _lock = lock(&cache)?;
    clean_up(&folder, &[], "an earlier demo")?;

    let start = Instant::now();
    let interrupted = muster::on_interrupt()?;
    let Err(error) = show(&folder, options, &interrupted) else {
        if !options.keep {
            shell::say(format!("the demo ended well after {} s; nothing is left of it", start.elapsed().as_secs()));
        }
        return Ok(());
    };
    // Told now, because what comes next takes a moment.
    eprintln!("\nxtask: {error:#}; cleaning up");
    if interrupted.check().is_ok() {
        parts::show_log(&folder);
    }
    clean_up(&folder, &[], "the demo")
        .context("what the demo had made is not all removed\nrun: cargo xtask demo --clean")?;
    bail!("the demo ended early; what it had made is removed")
}

/// The programs that a user has installed, and what stands for Docker Hub and for the project of Kubernetes.
fn build() -> Result<()> {
    shell::say("building musterd and muster (minutes, the first time)");
    let packages = [
        "--package",
        "musterd",
        "--package",
        "muster-client",
        "--package",
        "muster-bridge",
        "--package",
        "muster-tests",
    ];
    let programs = [
        "--bin",
        "musterd",
        "--bin",
        "muster",
        "--bin",
        "muster-bridge",
        "--bin",
        "registry",
        "--bin",
        "kubernetes-parts",
    ];
    shell::run(host::cargo().arg("build").args(packages).args(programs))
}

fn show(folder: &Path, options: &Options, interrupted: &muster::Interrupted) -> Result<()> {
    let mut parts = DemoParts::start(folder, options.orchestrator, options.keep)?;
    let user = muster::User::new(&parts, interrupted)?;
    let instance = story::tell(&user, &parts)?;
    let mut bridge = rest::Bridge::start(&parts, &user)?;
    let (_, copies) = options.orchestrator.copies();
    rest::show(&user, &bridge, copies)?;
    if options.keep {
        return story::how_to_go_on(&user, &bridge.page());
    }
    story::delete(&user, &instance)?;
    parts.stop(bridge.process())?;
    story::nothing_is_left_of_files(folder)
}

/// One demo at a time on a host: each takes the folder to be its own.
fn lock(cache: &Path) -> Result<File> {
    let path: PathBuf = cache.join("demo.lock");
    let lock = shell::append_to(&path)?;
    if lock.try_lock().is_err() {
        bail!("another `cargo xtask demo` is running: it holds {}", path.display());
    }
    Ok(lock)
}

fn clean_up(folder: &Path, labels: &[&str], whose: &str) -> Result<()> {
    let removed = clean::clean(folder, labels).with_context(|| format!("cannot clean up after {whose}"))?;
    if removed > 0 {
        shell::say(format!("removed {removed} things that {whose} had left"));
    }
    Ok(())
}

fn tidy(folder: &Path) -> Result<()> {
    // Setting up for a demo builds the machine images, and may have been killed while it tried one.
    clean_up(folder, &[image::TRIAL_LABEL], "the demo")?;
    shell::say("nothing of a demo is left");
    Ok(())
}
