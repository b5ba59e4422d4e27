//! `kubernetes-parts [IMAGE…]`: serves Kubernetes' packages and images, and images of the built-in templates, to machines,
//! until its standard input closes.
//!
//! One line of JSON on standard output says where, when all is there. Whoever starts it keeps the pipe: however the starter
//! ends, the kernel closes it, and the servers end too. With `--stay` they run on until SIGTERM.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Parser;
use muster_tests::{kubernetes, pipe};
use tokio::signal::unix::{SignalKind, signal};

#[derive(Parser)]
#[command(about)]
struct Arguments {
    /// Also write `muster.toml` there, the configuration of a daemon whose clusters find it all, and `registry`, the
    /// registry's address
    #[arg(long, value_name = "FOLDER")]
    into: Option<PathBuf>,
    /// Service images to have too, as templates name them, such as `busybox:1.36`
    images: Vec<String>,
    /// Go on when standard input closes; SIGTERM ends it
    #[arg(long)]
    stay: bool,
    /// The port of the package repositories; a free one for 0
    #[arg(long, default_value_t = 0)]
    port: u16,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for signals")?;
    let images: Vec<&str> = arguments.images.iter().map(String::as_str).collect();
    let parts = kubernetes::start(&images, arguments.port).await?;
    if let Some(folder) = &arguments.into {
        write(&folder.join("muster.toml"), &parts.places.configuration()?)?;
        write(&folder.join("registry"), &parts.places.registry)?;
    }
    let places = serde_json::to_string(&parts.places).context("cannot say the places")?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{places}").and_then(|()| stdout.flush()).context("cannot say the places")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = pipe::end_of_input(), if !arguments.stay => {}
    }
    // Dropping them ends them.
    drop(parts);
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
