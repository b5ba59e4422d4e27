//! The real `musterd`, in a private place, with all that it makes removed at the end, however a test ends.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use muster_protocol::response::Whoami;
use tempfile::TempDir;

use crate::binary;
use crate::cli::{Cli, end};
use crate::traces::{Traces, leave_word};

/// How long a start may take until the daemon answers.
const START_LIMIT: Duration = Duration::from_secs(30);
/// How long an orderly end may take.
const STOP_LIMIT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);
/// Lines of its log that are shown when a test fails.
const LOG_LINES: usize = 80;

/// A daemon with its own state, configuration and socket.
pub struct Daemon {
    folder: TempDir,
    child: Option<Child>,
    cli: Cli,
    /// Known from its first answer on.
    instance: String,
    /// What it makes; goes after it.
    traces: Option<Traces>,
    /// The size of a disk of its own for its state, if it has one.
    disk_mib: Option<u32>,
}

impl Daemon {
    /// Starts one with this configuration, and waits until it answers.
    ///
    /// # Errors
    /// If it does not, with its log.
    pub async fn start(configuration: &str) -> Result<Self> {
        Self::start_on(configuration, None).await
    }

    /// The same with its state on a disk of its own, of this size. It is in memory, and gone when the daemon ends.
    ///
    /// # Errors
    /// If it does not answer, or may not mount.
    pub async fn start_on_disk_of(mib: u32, configuration: &str) -> Result<Self> {
        Self::start_on(configuration, Some(mib)).await
    }

    async fn start_on(configuration: &str, disk_mib: Option<u32>) -> Result<Self> {
        let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
        fs::write(folder.path().join("muster.toml"), configuration).context("cannot write the configuration")?;
        let cli = Cli::new(&folder.path().join("muster.sock"))?;
        let mut daemon = Self { folder, child: None, cli, instance: String::new(), traces: None, disk_mib };
        daemon.spawn()?;
        daemon.wait_until_it_answers().await?;
        Ok(daemon)
    }

    /// The command line for it.
    pub fn cli(&self) -> &Cli {
        &self.cli
    }

    /// Makes a token with this role, limited to these clusters if there are any, as an administrator does.
    ///
    /// # Errors
    /// If it cannot be made.
    pub async fn token(&self, name: &str, role: &str, clusters: &[&str]) -> Result<String> {
        let mut arguments = vec!["token", "create", name, "--role", role, "--expires", "1d"];
        arguments.extend(clusters.iter().flat_map(|cluster| ["--cluster", cluster]));
        let made: serde_json::Value = self.cli.json(&arguments).await?;
        Ok(made["token"].as_str().context("no token")?.to_owned())
    }

    /// Takes a token off the list.
    ///
    /// # Errors
    /// If it cannot.
    pub async fn revoke(&self, name: &str) -> Result<()> {
        let ended = self.cli.run(&["token", "revoke", name]).await?;
        ensure!(ended.code == Some(0), "`{}`: {}", ended.line, ended.stderr);
        Ok(())
    }

    /// Its installation's id: the mark of everything that it makes.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// The folder of all that is its own: state, configuration, socket, log.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where its state lies.
    pub fn state_dir(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Its state, as it sees it itself: on its own disk, if it has one.
    ///
    /// # Errors
    /// If it does not run.
    pub fn state_as_seen_by_itself(&self) -> Result<PathBuf> {
        let pid = self.pid()?;
        let root = PathBuf::from(format!("/proc/{pid}/root"));
        Ok(root.join(self.state_dir().strip_prefix("/").context("the state directory is not absolute")?))
    }

    /// Its process.
    ///
    /// # Errors
    /// If it does not run.
    pub fn pid(&self) -> Result<u32> {
        Ok(self.child.as_ref().context("the daemon does not run")?.id())
    }

    /// Where it answers.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("muster.sock")
    }

    /// Everything that it has logged since its first start.
    pub fn log(&self) -> String {
        fs::read(self.log_path()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// The command that starts it, to answer at this socket.
    ///
    /// # Errors
    /// If `musterd` was not built.
    pub fn command(&self, socket: &Path) -> Result<Command> {
        let mut command = Command::new(binary::path("musterd")?);
        command.arg("--config").arg(self.folder.path().join("muster.toml"));
        command.arg("--state-dir").arg(self.state_dir());
        command.arg("--socket").arg(socket);
        command.stdin(Stdio::null());
        Ok(command)
    }

    /// Ends it as a power failure would: no word to it, no time for anything.
    ///
    /// # Errors
    /// If it does not run.
    pub fn kill(&mut self) -> Result<()> {
        let mut child = self.child.take().context("the daemon does not run")?;
        child.kill().context("cannot kill the daemon")?;
        child.wait().context("cannot wait for the daemon")?;
        Ok(())
    }

    /// Ends it, and loses everything that it keeps, as with a broken disk.
    ///
    /// # Errors
    /// If it does not run.
    pub fn lose_state(&mut self) -> Result<()> {
        self.kill()?;
        fs::remove_dir_all(self.state_dir()).context("cannot remove the state directory")
    }

    /// Runs `musterd recover` with these arguments while it is stopped; what that says.
    ///
    /// # Errors
    /// If the command fails.
    pub async fn recover(&self, arguments: &[&str]) -> Result<String> {
        let mut command = self.command(&self.socket())?;
        command.arg("recover").args(arguments);
        let ended = end(command.into(), format!("musterd recover {}", arguments.join(" "))).await?;
        ensure!(ended.code == Some(0), "`{}`: {}", ended.line, ended.stderr);
        Ok(ended.stdout)
    }

    /// Starts it again on what it left, and waits until it answers.
    ///
    /// # Errors
    /// If it does not, with its log.
    pub async fn start_again(&mut self) -> Result<()> {
        self.spawn()?;
        self.wait_until_it_answers().await
    }

    /// Asks it to end, and does not wait.
    ///
    /// # Errors
    /// If it does not run.
    pub fn terminate(&self) -> Result<()> {
        terminate(self.child.as_ref().context("the daemon does not run")?);
        Ok(())
    }

    /// Asks it to end, and waits for that.
    ///
    /// # Errors
    /// If it does not end in time.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        let mut child = self.child.take().context("the daemon does not run")?;
        terminate(&child);
        let deadline = Instant::now() + STOP_LIMIT;
        loop {
            if let Some(status) = child.try_wait().context("cannot wait for the daemon")? {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                // Not left running behind the error's back.
                child.kill().and_then(|()| child.wait()).context("cannot kill the daemon")?;
                bail!("the daemon did not end in {} s; the end of its log:\n{}", STOP_LIMIT.as_secs(), self.log_end());
            }
            #[expect(clippy::disallowed_methods, reason = "waits in `Drop`, where nothing can be awaited")]
            std::thread::sleep(POLL);
        }
    }

    /// Shows the end of its log if what was done with it failed. (A test that panics shows it anyway.)
    pub fn show_log_of_failure<T>(&self, ended: &Result<T>) {
        if ended.is_err() {
            self.show_log();
        }
    }

    #[expect(clippy::print_stderr, reason = "the test runner shows it with the failure")]
    fn show_log(&self) {
        eprintln!("the end of the daemon's log:\n{}", self.log_end());
    }

    fn spawn(&mut self) -> Result<()> {
        let log = File::options().create(true).append(true).open(self.log_path()).context("cannot open the log")?;
        let mut command = self.command(&self.socket())?;
        if let Some(mib) = self.disk_mib {
            fs::create_dir_all(self.state_dir()).context("cannot create the state directory")?;
            command = on_disk_of(mib, &self.state_dir(), &command);
        }
        command.stdout(log.try_clone().context("cannot open the log")?).stderr(log);
        // Ctrl-C on a terminal is for the tests, which then stop it in their order.
        let child = command.process_group(0).spawn().context("cannot start musterd")?;
        leave_word("daemons", &format!("{}.pid", child.id()), &child.id().to_string())?;
        self.child = Some(child);
        Ok(())
    }

    async fn wait_until_it_answers(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            let answer = self.cli.run(&["whoami"]).await?;
            if answer.code == Some(0) {
                let whoami: Whoami = answer.json()?;
                self.instance = whoami.instance.to_string();
                if self.traces.is_none() {
                    self.traces = Some(Traces::of(&self.instance)?);
                }
                return Ok(());
            }
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            if let Some(status) = ended {
                bail!("musterd ended with {status}; the end of its log:\n{}", self.log_end());
            }
            if Instant::now() >= deadline {
                bail!("musterd does not answer: {}; the end of its log:\n{}", answer.stderr, self.log_end());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn log_end(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }
}

/// The same command with a file system in memory at `folder`, which nobody else sees and which goes with it.
fn on_disk_of(mib: u32, folder: &Path, command: &Command) -> Command {
    let script = "mount -t tmpfs -o size=$1m,mode=0700 none \"$2\" && shift 2 && exec \"$@\"";
    let mut wrapped = Command::new("unshare");
    wrapped.args(["--mount", "sh", "-c", script, "sh", &mib.to_string()]).arg(folder);
    wrapped.arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
    wrapped
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.show_log();
        }
        if let Some(mut child) = self.child.take() {
            // What it still does would race with what is removed here.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Asks a process to end.
pub fn terminate(child: &Child) {
    let pid = rustix::process::Pid::from_child(child);
    // It may have ended by itself just now.
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
}
