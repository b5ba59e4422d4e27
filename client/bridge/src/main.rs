//! `muster-bridge`: flags, configuration, signals. All else is in the library.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{CommandFactory, Parser, Subcommand};
use muster_bridge::config::Config;
use muster_bridge::{openapi, server, telemetry};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};

const USUAL_CONFIG: &str = "/etc/muster/bridge.toml";

/// Muster's HTTP bridge: REST for remote callers, and a page for a browser.
#[derive(Parser, Debug)]
#[command(version, after_help = "Signals: SIGTERM and SIGINT end it in good order, SIGHUP reads certificates again.")]
struct Flags {
    /// The configuration file [default: /etc/muster/bridge.toml, if it is there]
    #[arg(long, value_name = "FILE", env = "MUSTER_BRIDGE_CONFIG", global = true)]
    config: Option<PathBuf>,
    /// The daemon's socket; goes before `socket` of the configuration
    #[arg(long, value_name = "PATH", env = "MUSTER_SOCKET")]
    socket: Option<PathBuf>,
    /// Where to listen; goes before `listen` of the configuration
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<std::net::SocketAddr>,
    /// Say whether the configuration is good, and end
    #[arg(long)]
    check_config: bool,
    #[command(subcommand)]
    command: Option<BridgeCommand>,
}

#[derive(Subcommand, Debug)]
enum BridgeCommand {
    /// Print the description of the API (OpenAPI 3.1)
    Openapi,
    /// Write the manual pages
    #[command(hide = true)]
    Manual {
        /// The folder that they are written to; it must be there
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
}

fn main() -> ExitCode {
    match start(Flags::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "what kept the program from its work is for whoever started it")]
fn complain(error: &anyhow::Error) {
    eprintln!("muster-bridge: {error:#}");
}

fn start(flags: Flags) -> anyhow::Result<()> {
    let config = configuration(&flags)?;
    match flags.command {
        Some(BridgeCommand::Openapi) => {
            let document = openapi::document().context("the API's description cannot be made")?;
            return std::io::stdout().write_all(document.as_bytes()).context("cannot write to standard output");
        }
        Some(BridgeCommand::Manual { folder }) => {
            return write_manual(&folder).with_context(|| format!("cannot write to {}", folder.display()));
        }
        None if flags.check_config => return Ok(()),
        None => {}
    }
    telemetry::start_logs(&config.log)?;
    let metrics = telemetry::start_metrics()?;
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        bail!("another part of this process chose a cryptographic library first");
    }
    raise_file_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    runtime.block_on(async {
        let shutdown = shutdown_signal().context("cannot listen for signals")?;
        let scheme = if config.tls.is_some() { "https" } else { "http" };
        let ready = |address| {
            info!("listening on {scheme}://{address}");
            if let Err(cause) = sd_notify::notify(&[sd_notify::NotifyState::Ready]) {
                warn!(%cause, "the service manager cannot be told");
            }
        };
        server::serve(config, metrics, ready, shutdown).await.map_err(anyhow::Error::from)
    })
}

/// The page of the bridge and one of each of its commands, in section 8.
fn write_manual(folder: &Path) -> std::io::Result<()> {
    let mut bridge = Flags::command().disable_help_subcommand(true);
    bridge.build();
    let commands = bridge.get_subcommands().filter(|command| !command.is_hide_set());
    for command in std::iter::once(&bridge).chain(commands) {
        clap_mangen::Man::new(command.clone()).section("8").generate_to(folder)?;
    }
    Ok(())
}

/// The file, if there is one or one was named, and the flags over it.
fn configuration(flags: &Flags) -> anyhow::Result<Config> {
    let usual = PathBuf::from(USUAL_CONFIG);
    let mut config = match &flags.config {
        Some(file) => Config::read(file)?,
        None if usual.exists() => Config::read(&usual)?,
        None => Config::default(),
    };
    if let Some(socket) = &flags.socket {
        config.socket = Some(socket.clone());
    }
    if let Some(listen) = flags.listen {
        config.listen = listen;
    }
    config.check()?;
    Ok(config)
}

/// Each connection is a file. What the system allows at most is taken.
fn raise_file_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(cause) = setrlimit(Resource::Nofile, limit) {
        warn!(%cause, "cannot raise the number of open files");
    }
}

/// Done at the first SIGTERM or SIGINT.
fn shutdown_signal() -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
