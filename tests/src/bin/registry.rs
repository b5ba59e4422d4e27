//! `registry IMAGE…`: serves images of the built-in templates to machines, until its standard input closes.
//!
//! One line on standard output says the port, when all of them are there. Whoever starts it keeps the pipe: however the
//! starter ends, the kernel closes it, and the registry ends too. With `--stay` it runs on until it is told to end.

use std::io::Write;

use anyhow::{Context, Result};
use clap::Parser;
use muster_tests::images;
use muster_tests::pipe::end_of_input;
use muster_tests::registry::{Registry, cached_storage};
use tokio::signal::unix::{SignalKind, signal};

#[derive(Parser)]
#[command(about)]
struct Arguments {
    /// Images to have, as templates name them, such as `busybox:1.36`
    #[arg(required = true)]
    images: Vec<String>,
    /// Go on when standard input closes; SIGTERM ends it
    #[arg(long)]
    stay: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for signals")?;
    let registry = Registry::start(&cached_storage()?).await?;
    images::ensure(&registry, &arguments.images).await?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{}", registry.port()).and_then(|()| stdout.flush()).context("cannot say the port")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = end_of_input(), if !arguments.stay => {}
    }
    // Dropping it ends it.
    drop(registry);
    Ok(())
}
