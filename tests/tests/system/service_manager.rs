//! What a service manager tells the daemon and hears from it: signals, systemd's notifications and its passed socket.

use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use muster_client::Client;
use muster_tests::binary;
use muster_tests::cli::end;
use muster_tests::daemon::{Daemon, terminate};
use tempfile::TempDir;
use tokio::net::UnixDatagram;
use tokio::time::{Instant, sleep, timeout};

/// For a busy host.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// Polls until this holds.
async fn until(what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !holds()? {
        ensure!(Instant::now() < deadline, "not within {} s: {what}", PATIENCE.as_secs());
        sleep(POLL).await;
    }
    Ok(())
}

#[tokio::test]
async fn a_second_word_to_stop_ends_the_daemon_at_once_although_it_still_drains() -> Result<()> {
    let mut daemon = Daemon::start("[limits]\ndrain_ms = 600000\n").await?;
    // A Docker Engine that is never heard of: whoever asks it waits, and a drain waits for that.
    let engine = daemon.folder().join("engine.sock");
    let listener = UnixListener::bind(&engine)?;
    let endpoint = engine.to_str().context("the folder's path is not UTF-8")?;
    let account = ["account", "add", "mute", "--infrastructure", "local", "--endpoint", endpoint];
    let added = daemon.cli().run(&account).await?;
    ensure!(added.code == Some(0), "{}", added.stderr);
    let check = ["account", "check", "mute"];
    let asking = tokio::spawn(end(daemon.cli().command(&check), check.join(" ")));
    let _question = tokio::task::spawn_blocking(move || listener.accept()).await??;

    daemon.terminate()?;
    let socket = daemon.socket();
    until("nobody is let in any more", || Ok(!socket.exists())).await?;
    ensure!(!asking.is_finished(), "nothing is left to wait for");
    let ended = daemon.stop()?;
    ensure!(ended.code() == Some(1), "{ended}");
    ensure!(daemon.log().contains("told twice to stop"), "{}", daemon.log());
    asking.abort();
    Ok(())
}

/// A daemon that something else than the tests' harness starts.
struct Managed {
    folder: TempDir,
    child: Option<Child>,
}

impl Managed {
    fn new() -> Result<Self> {
        let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
        fs::write(folder.path().join("muster.toml"), "")?;
        Ok(Self { folder, child: None })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The daemon's command line, behind these words.
    fn start(&mut self, words: &[&str], set_up: impl FnOnce(&mut Command)) -> Result<()> {
        let log = File::create(self.path("log"))?;
        let musterd = binary::path("musterd")?;
        let program = words.first().map_or(musterd.as_path(), Path::new);
        let mut command = Command::new(program);
        command.args(words.iter().skip(1));
        if !words.is_empty() {
            command.arg(&musterd);
        }
        command.arg("--config").arg(self.path("muster.toml")).arg("--state-dir").arg(self.path("state"));
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        set_up(&mut command);
        self.child = Some(command.spawn().context("cannot start it")?);
        Ok(())
    }

    async fn stop(&mut self) -> Result<ExitStatus> {
        let child = self.child.as_mut().context("it does not run")?;
        terminate(child);
        let mut ended = None;
        until("the daemon ends", || {
            ended = child.try_wait()?;
            Ok(ended.is_some())
        })
        .await?;
        ended.context("it has not ended")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }
}

impl Drop for Managed {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The next notification that has this line; others before it are passed over.
async fn notified(socket: &UnixDatagram, line: &str) -> Result<()> {
    let mut buffer = [0; 4096];
    let heard = timeout(PATIENCE, async {
        loop {
            let length = socket.recv(&mut buffer).await?;
            let told = std::str::from_utf8(&buffer[..length])?;
            if told.lines().any(|told| told == line) {
                return Ok(());
            }
            if told.lines().any(|told| told == "STOPPING=1") {
                bail!("it stops and never told {line}");
            }
        }
    });
    heard.await.with_context(|| format!("{line} is not heard"))?
}

#[tokio::test]
async fn systemd_hears_when_the_daemon_answers_that_it_lives_and_that_it_stops() -> Result<()> {
    let mut daemon = Managed::new()?;
    let (socket, ears) = (daemon.path("muster.sock"), daemon.path("notify"));
    let systemd = UnixDatagram::bind(&ears)?;
    daemon.start(&[], |command| {
        command.arg("--socket").arg(&socket).env("NOTIFY_SOCKET", &ears).env("WATCHDOG_USEC", "200000");
    })?;
    let life = async {
        notified(&systemd, "READY=1").await?;
        Client::connect(&socket).await.context("it is ready and does not answer")?;
        for _ in 0..3 {
            notified(&systemd, "WATCHDOG=1").await?;
        }
        let ended = daemon.stop().await?;
        ensure!(ended.code() == Some(0), "{ended}");
        notified(&systemd, "STOPPING=1").await
    };
    life.await.with_context(|| daemon.log())
}

#[tokio::test]
async fn a_socket_that_systemd_passes_is_answered_on_and_left_where_it_is() -> Result<()> {
    let mut daemon = Managed::new()?;
    let socket = daemon.path("passed.sock");
    let listener = UnixListener::bind(&socket)?;
    // A socket is passed as the third file and to one process by its number, which only that process itself knows before it runs.
    let pass = "export LISTEN_PID=$$ LISTEN_FDS=1; exec \"$@\" 3<&0 </dev/null";
    daemon.start(&["sh", "-c", pass, "sh"], |command| {
        command.stdin(OwnedFd::from(listener)).env("XDG_RUNTIME_DIR", "/nonexistent");
    })?;
    let life = async {
        // systemd listens already, so this waits until the daemon does.
        let client = timeout(PATIENCE, Client::connect(&socket)).await.context("nobody answers")??;
        client.whoami().await?;
        let ended = daemon.stop().await?;
        ensure!(ended.code() == Some(0), "{ended}");
        ensure!(socket.exists(), "the socket is systemd's and was removed");
        Ok(())
    };
    life.await.with_context(|| daemon.log())
}
