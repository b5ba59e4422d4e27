//! The `muster` command line as scripts use it: arguments in; JSON, exit code and error out.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use muster_protocol::Error;
use muster_protocol::model::event::Event;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::binary;

/// Longer than anything that a test asks for; a command that is not back by then hangs.
const LIMIT: Duration = Duration::from_secs(300);
const POLL: Duration = Duration::from_millis(100);

/// The command line, for one daemon.
#[derive(Clone, Debug)]
pub struct Cli {
    program: PathBuf,
    socket: PathBuf,
}

/// How a command ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The arguments, for messages.
    pub line: String,
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Ended {
    /// What it printed, as JSON.
    ///
    /// # Errors
    /// If it is not that.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.stdout).with_context(|| format!("`{}` printed: {}", self.line, self.stdout))
    }

    /// The error that it told on standard error, behind its progress.
    ///
    /// # Errors
    /// If there is none.
    pub fn error(&self) -> Result<Error> {
        let line = self.stderr.lines().rfind(|line| line.starts_with('{'));
        let line = line.with_context(|| format!("`{}` told no error: {}{}", self.line, self.stdout, self.stderr))?;
        serde_json::from_str(line).with_context(|| format!("`{}` told: {line}", self.line))
    }
}

impl Cli {
    /// Commands to the daemon at this socket.
    ///
    /// # Errors
    /// If `muster` was not built.
    pub fn new(socket: &Path) -> Result<Self> {
        Ok(Self { program: binary::path("muster")?, socket: socket.to_owned() })
    }

    /// The command, ready to be run, with JSON as its output.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.command_for("json", arguments)
    }

    /// The same with this form of output.
    pub fn command_for(&self, form: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--socket").arg(&self.socket).args(["-o", form]).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// Runs a command to its end, whatever that is.
    ///
    /// # Errors
    /// If it cannot be started or does not end.
    pub async fn run(&self, arguments: &[&str]) -> Result<Ended> {
        let line = format!("muster {}", arguments.join(" "));
        end(self.command(arguments), line).await
    }

    /// Runs a command that must succeed, and reads what it prints.
    ///
    /// # Errors
    /// If it fails.
    pub async fn json<T: DeserializeOwned>(&self, arguments: &[&str]) -> Result<T> {
        let ended = self.run(arguments).await?;
        ensure!(ended.code == Some(0), "`{}` ended with {:?}: {}", ended.line, ended.code, ended.stderr);
        ended.json()
    }

    /// Runs a command that must fail: its exit code and error.
    ///
    /// # Errors
    /// If it succeeds.
    pub async fn refused(&self, arguments: &[&str]) -> Result<(i32, Error)> {
        let ended = self.run(arguments).await?;
        let code = ended.code.with_context(|| format!("`{}` was killed", ended.line))?;
        ensure!(code != 0, "`{}` succeeded: {}", ended.line, ended.stdout);
        Ok((code, ended.error()?))
    }

    /// Asks until the answer is as it should be.
    ///
    /// # Errors
    /// If it is not in time, with the last answer.
    pub async fn until<T: DeserializeOwned + std::fmt::Debug>(
        &self,
        arguments: &[&str],
        limit: Duration,
        is_so: impl Fn(&T) -> bool,
    ) -> Result<T> {
        let deadline = Instant::now() + limit;
        loop {
            let answer: T = self.json(arguments).await?;
            if is_so(&answer) {
                return Ok(answer);
            }
            if Instant::now() >= deadline {
                bail!("after {} s `muster {}` still says {answer:#?}", limit.as_secs(), arguments.join(" "));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The events behind a cursor, as far as there are any.
    ///
    /// # Errors
    /// If the command fails.
    pub async fn events(&self, since: u64) -> Result<Vec<Event>> {
        let ended = self.run(&["events", "--since", &since.to_string()]).await?;
        ensure!(ended.code == Some(0), "`{}` failed: {}", ended.line, ended.stderr);
        ended.stdout.lines().map(|line| serde_json::from_str(line).with_context(|| line.to_owned())).collect()
    }

    /// Follows the events behind a cursor up to the first that is the wanted one. All of them, that one last.
    ///
    /// # Errors
    /// If it does not come in time.
    pub async fn events_until(
        &self,
        since: u64,
        limit: Duration,
        mut is_it: impl FnMut(&Event) -> bool,
    ) -> Result<Vec<Event>> {
        let mut events: Vec<Event> = Vec::new();
        let follow = async {
            let mut child = self.command(&["events", "--follow", "--since", &since.to_string()]).spawn()?;
            let stdout = child.stdout.take().context("no standard output")?;
            let mut lines = BufReader::new(stdout).lines();
            while let Some(line) = lines.next_line().await? {
                let event: Event = serde_json::from_str(&line).with_context(|| line.clone())?;
                let found = is_it(&event);
                events.push(event);
                if found {
                    return Ok(());
                }
            }
            bail!("the events ended")
        };
        let in_time = tokio::time::timeout(limit, follow).await;
        match in_time.with_context(|| format!("it did not happen in {} s", limit.as_secs())).flatten() {
            Ok(()) => Ok(events),
            Err(error) => {
                let seen: Vec<String> =
                    events.iter().map(|event| format!("{} {}", event.kind, event.message)).collect();
                Err(error.context(format!("events behind {since}:\n{}", seen.join("\n"))))
            }
        }
    }
}

/// Runs any command to its end.
///
/// # Errors
/// If it cannot be started or does not end.
pub async fn end(mut command: Command, line: String) -> Result<Ended> {
    let output = tokio::time::timeout(LIMIT, command.output()).await;
    let output = output.with_context(|| format!("`{line}` did not end in {} s", LIMIT.as_secs()))?;
    let output = output.with_context(|| format!("cannot start `{line}`"))?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Ended { line, code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) })
}
