//! The real `muster-bridge` before a real daemon.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::binary;
use crate::daemon::{Daemon, terminate};
use crate::http::Http;

const START_LIMIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

/// A bridge with its own configuration.
pub struct Bridge {
    folder: TempDir,
    child: Child,
    address: String,
}

impl Bridge {
    /// Starts one before this daemon. `configuration` is added to what every test needs.
    ///
    /// # Errors
    /// If it does not listen, with its log.
    pub async fn start(daemon: &Daemon, configuration: &str) -> Result<Self> {
        let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
        Self::start_in(folder, &daemon.socket(), configuration).await
    }

    /// The same in a folder that has files already, such as certificates.
    ///
    /// # Errors
    /// If it does not listen, with its log.
    pub async fn start_in(folder: TempDir, socket: &Path, configuration: &str) -> Result<Self> {
        let at = folder.path();
        let head = format!("listen = \"127.0.0.1:0\"\nsocket = \"{}\"\n", socket.display());
        fs::write(at.join("bridge.toml"), format!("{head}{configuration}")).context("cannot write")?;
        let log = File::create(at.join("log")).context("cannot open the log")?;
        let child = command(at)?.stdout(log.try_clone()?).stderr(log).process_group(0).spawn();
        let mut bridge = Self { child: child.context("cannot start muster-bridge")?, address: String::new(), folder };
        bridge.wait_until_it_listens().await?;
        Ok(bridge)
    }

    /// Tells it to read its certificates again, and waits until it has tried.
    ///
    /// # Errors
    /// If it does not.
    pub async fn reload(&self) -> Result<()> {
        let tries = || self.log().matches("certificates").count();
        let before = tries();
        self.hang_up()?;
        let deadline = Instant::now() + START_LIMIT;
        while tries() <= before {
            ensure!(Instant::now() < deadline, "it does not read its certificates:\n{}", self.log());
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    fn hang_up(&self) -> Result<()> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::HUP).context("cannot signal muster-bridge")
    }

    /// Its address, with the scheme.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A caller without a token.
    pub fn http(&self) -> Http {
        Http::new(&self.address, None)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read(self.log_path()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Asks it to end, and waits for that.
    ///
    /// # Errors
    /// If it fails, or does not end.
    pub async fn stop(mut self) -> Result<()> {
        terminate(&self.child);
        let deadline = Instant::now() + START_LIMIT;
        loop {
            if let Some(status) = self.child.try_wait().context("cannot wait for muster-bridge")? {
                ensure!(status.success(), "muster-bridge ended with {status}:\n{}", self.log());
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "muster-bridge does not end:\n{}", self.log());
            tokio::time::sleep(POLL).await;
        }
    }

    async fn wait_until_it_listens(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            let log = self.log();
            let line = log.split_once("listening on ").and_then(|(_, rest)| rest.split_once('\n'));
            if let Some((address, _)) = line {
                address.trim().clone_into(&mut self.address);
                return Ok(());
            }
            if let Some(status) = self.child.try_wait().ok().flatten() {
                bail!("muster-bridge ended with {status}:\n{log}");
            }
            ensure!(Instant::now() < deadline, "muster-bridge does not listen:\n{log}");
            tokio::time::sleep(POLL).await;
        }
    }
}

impl Drop for Bridge {
    #[expect(clippy::print_stderr, reason = "the test runner shows it with the failure")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the bridge's log:\n{}", self.log());
        }
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(folder: &Path) -> Result<Command> {
    let mut command = Command::new(binary::path("muster-bridge")?);
    command.arg("--config").arg(folder.join("bridge.toml")).stdin(Stdio::null()).env_remove("MUSTER_SOCKET");
    Ok(command)
}
