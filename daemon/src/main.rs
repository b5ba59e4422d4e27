//! `musterd`: flags, configuration, logs, signals. All else is in the library.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{CommandFactory, Parser, Subcommand};
use muster_engine::sim::SimWorld;
use muster_protocol::InstanceId;
use muster_store::Rotation;
use musterd::clock::Clock;
use musterd::config::{Config, Places};
use musterd::daemon::{DaemonError, Options, run};
use musterd::gateway::listener::Listener;
use musterd::kinds::Kinds;
use musterd::kinds::built_in::BuiltIn;
use musterd::kinds::ec2::Ec2Accounts;
use musterd::kinds::hosts::HostsAccounts;
use musterd::recover::{self, Wanted};
use musterd::state_dir::make_private;
use musterd::{telemetry, upkeep};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};

/// The Muster daemon: creates, runs and removes clusters of container orchestrators.
#[derive(Parser, Debug)]
#[command(
    version,
    after_help = "Signals: SIGTERM and SIGINT stop the daemon in good order; the second one ends it at once."
)]
struct Flags {
    /// The configuration file [default: /etc/muster/muster.toml; for a plain user ~/.config/muster/muster.toml]
    #[arg(long, value_name = "FILE", env = "MUSTER_CONFIG", global = true)]
    config: Option<PathBuf>,
    /// Where everything lasting lies; goes before `state_dir` of the configuration
    #[arg(long, value_name = "DIR", global = true)]
    state_dir: Option<PathBuf>,
    /// Where the daemon answers; goes before `socket.path` of the configuration
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Say whether the configuration is good, and end
    #[arg(long)]
    check_config: bool,
    #[command(subcommand)]
    command: Option<OtherCommand>,
}

/// What is done instead of running the daemon.
#[derive(Subcommand, Debug)]
enum OtherCommand {
    #[command(flatten)]
    Upkeep(UpkeepCommand),
    /// Write the manual pages
    #[command(hide = true)]
    Manual {
        /// The folder that they are written to; it must be there
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
}

/// What is done with the store while no daemon runs.
#[derive(Subcommand, Debug)]
enum UpkeepCommand {
    /// Write all of the store of a stopped daemon to one checked file; the sealing key is not in it
    Backup {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Build the store of a stopped daemon from such a file, or from an export
    Restore {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Put the store that is there aside
        #[arg(long)]
        replace: bool,
    },
    /// Give the store of a stopped daemon a new sealing key, and seal all secrets under it
    RotateKey,
    /// Rebuild the lost store of a stopped daemon from the owner marks of what is there; without `--yes`, say only what would be done
    Recover {
        /// The installation whose clusters are rebuilt; without it, say what is there of each
        #[arg(long, value_name = "ID")]
        instance: Option<InstanceId>,
        /// Do it
        #[arg(long, requires = "instance")]
        yes: bool,
    },
}

/// A fifth of what a change costs was memory, taken in one thread and given back in another, where glibc is slow.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match start(Flags::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

/// Says what kept the daemon from starting. Where standard error takes nothing, the exit code says it alone.
fn complain(error: &anyhow::Error) {
    let _ = writeln!(std::io::stderr(), "musterd: {error:#}");
}

fn start(flags: Flags) -> anyhow::Result<()> {
    if let Some(OtherCommand::Manual { folder }) = &flags.command {
        return write_manual(folder).with_context(|| format!("cannot write to {}", folder.display()));
    }
    let places = Places::of_this_user();
    let config = configuration(&flags, &places)?;
    if flags.check_config {
        return Ok(());
    }
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        warn!("another part of this process chose a cryptographic library first");
    }
    if let Some(OtherCommand::Upkeep(command)) = flags.command {
        return look_after_store(command, &config, &places);
    }
    telemetry::start_logs(&config.log)?;
    let metrics = telemetry::metrics::start()?;
    raise_file_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    runtime.block_on(async {
        let kinds = Box::pin(kinds(config.clone(), places.clone()));
        let listener = Listener::from_systemd().context("cannot use the socket that systemd passed")?;
        let shutdown = shutdown_signal().context("cannot listen for signals")?;
        let options = Options { config, places, kinds, clock: Clock::system(), listener, metrics: Some(metrics) };
        run(options, shutdown).await.map_err(anyhow::Error::from)
    })
}

/// The page of the daemon and one of each of its commands, in section 8.
fn write_manual(folder: &Path) -> std::io::Result<()> {
    let mut daemon = Flags::command().disable_help_subcommand(true);
    daemon.build();
    let commands = daemon.get_subcommands().filter(|command| !command.is_hide_set());
    for command in std::iter::once(&daemon).chain(commands) {
        clap_mangen::Man::new(command.clone()).section("8").generate_to(folder)?;
    }
    Ok(())
}

/// Does what is asked for with the store, and says what was done.
fn look_after_store(command: UpkeepCommand, config: &Config, places: &Places) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    let told = match command {
        UpkeepCommand::Backup { file } => {
            let written = runtime.block_on(upkeep::backup(config, places, &file))?;
            format!("{} holds {} records and was read back\n", file.display(), written.records)
        }
        UpkeepCommand::Restore { file, replace } => {
            let restored = runtime.block_on(upkeep::restore(config, places, file, replace))?;
            let aside = restored.kept.map(|kept| format!("what was there is in {}\n", kept.display()));
            format!("{} records are restored\n{}", restored.records, aside.unwrap_or_default())
        }
        UpkeepCommand::RotateKey => {
            let Rotation { resealed, old_key } = runtime.block_on(upkeep::rotate_key(config, places))?;
            format!("secrets sealed anew: {resealed}; {} opens older backups only\n", old_key.display())
        }
        UpkeepCommand::Recover { instance, yes } => {
            let wanted = Wanted { instance, perform: yes };
            let report = runtime.block_on(async {
                let kinds = kinds(config.clone(), places.clone()).await?;
                recover::recover(config, places, kinds, wanted).await.map_err(anyhow::Error::from)
            })?;
            report.to_string()
        }
    };
    std::io::stdout().write_all(told.as_bytes()).context("cannot write to standard output")
}

/// The file, if there is one or one was named, and the flags over it.
fn configuration(flags: &Flags, places: &Places) -> anyhow::Result<Config> {
    let mut config = match &flags.config {
        Some(file) => Config::read(file)?,
        None if places.config.exists() => Config::read(&places.config)?,
        None => Config::default(),
    };
    if let Some(state_dir) = &flags.state_dir {
        config.state_dir = Some(state_dir.clone());
    }
    if let Some(socket) = &flags.socket {
        config.socket.path = Some(socket.clone());
    }
    Ok(config)
}

/// What this build has, as it is configured.
async fn kinds(config: Config, places: Places) -> Result<Arc<dyn Kinds>, DaemonError> {
    let (local, preparation) = (config.local.as_options(), config.preparation.as_options());
    let (kubernetes, logins) = (config.kubernetes.options.clone(), config.as_logins());
    let hosts = HostsAccounts::new(config.state_dir.as_ref().unwrap_or(&places.state_dir).join("hosts"));
    let sim = tokio::task::spawn_blocking(move || world(&config, &places).map_err(anyhow::Error::into_boxed_dyn_error));
    let sim = sim.await.unwrap_or_else(|lost| Err(lost.into())).map_err(DaemonError::Kinds)?;
    Ok(Arc::new(BuiltIn { local, preparation, kubernetes, logins, sim, ec2: Ec2Accounts::default(), hosts }))
}

/// The simulated world; kept on disk, if that is wanted.
fn world(config: &Config, places: &Places) -> anyhow::Result<SimWorld> {
    let options = config.sim.as_options();
    if !config.sim.persistent {
        return Ok(SimWorld::new(options));
    }
    let state_dir = config.state_dir.as_ref().unwrap_or(&places.state_dir);
    make_private(state_dir)?;
    let file = state_dir.join("sim.world");
    match SimWorld::open(&file, options) {
        Err(error) if error.kind() == std::io::ErrorKind::ResourceBusy => {
            anyhow::bail!("the state directory {} is in use by another musterd", state_dir.display())
        }
        opened => opened.with_context(|| format!("cannot open {}", file.display())),
    }
}

/// Each connection is a file. What the system allows at most is taken.
fn raise_file_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(cause) = setrlimit(Resource::Nofile, limit) {
        warn!(%cause, "cannot raise the number of open files");
    }
}

/// Done at the first SIGTERM or SIGINT; the second ends the process at once.
fn shutdown_signal() -> std::io::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        next(&mut terminate, &mut interrupt).await;
        tokio::spawn(async move {
            next(&mut terminate, &mut interrupt).await;
            warn!("told twice to stop: ending at once");
            std::process::exit(1);
        });
        info!("told to stop");
    })
}

async fn next(terminate: &mut tokio::signal::unix::Signal, interrupt: &mut tokio::signal::unix::Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
