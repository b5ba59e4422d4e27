//! A private daemon, and what the kernel says of its process.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use muster_client::Client;
use tokio::process::{Child, Command};
use tokio::time::sleep;

/// Until something that was started must answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);
const BETWEEN_TRIES: Duration = Duration::from_millis(1);

/// A running daemon with its own state and socket; it is killed when this is dropped.
pub struct Daemon {
    process: Child,
    pid: u32,
    socket: PathBuf,
}

impl Daemon {
    /// Starts the daemon on the state in `dir`, with the built-in defaults but one. It may not answer yet.
    pub fn start(musterd: &Path, dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let config = dir.join("muster.toml");
        // The bridge runs as the same user, and speaks for the owners of its tokens.
        let trusted = format!("[access]\ntrusted = [\"{}\"]\n", rustix::process::getuid().as_raw());
        std::fs::write(&config, trusted).with_context(|| format!("cannot write {}", config.display()))?;
        let log = std::fs::File::options().create(true).append(true).open(dir.join("log"));
        let log = log.context("cannot open the daemon's log")?;
        let socket = dir.join("muster.sock");
        let mut command = Command::new(musterd);
        command.arg("--config").arg(&config).arg("--state-dir").arg(dir.join("state")).arg("--socket").arg(&socket);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
        let process = command.spawn().with_context(|| format!("cannot start {}", musterd.display()))?;
        let pid = process.id().context("the daemon ended at once")?;
        Ok(Self { process, pid, socket })
    }

    /// Starts the daemon and waits until it answers.
    pub async fn start_and_wait(musterd: &Path, dir: &Path) -> Result<Self> {
        let daemon = Self::start(musterd, dir)?;
        daemon.client().await?;
        Ok(daemon)
    }

    /// A connection of its own, as soon as the daemon answers a read.
    pub async fn client(&self) -> Result<Client> {
        let socket = &self.socket;
        let connect = async || {
            let client = Client::builder().socket(socket).reconnect_for(Duration::ZERO).connect().await?;
            client.whoami().await?;
            Ok(client)
        };
        retried(connect).await.with_context(|| format!("the daemon does not answer; see {}", self.log().display()))
    }

    /// So many connections.
    pub async fn clients(&self, count: usize) -> Result<Vec<Client>> {
        let mut clients = Vec::new();
        for _ in 0..count {
            clients.push(self.client().await?);
        }
        Ok(clients)
    }

    /// kill -9, and nothing else.
    pub async fn kill(mut self) -> Result<()> {
        self.process.kill().await.context("cannot kill the daemon")
    }

    /// Where it answers.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// What the process has used.
    pub fn usage(&self) -> Result<Usage> {
        Usage::of(self.pid)
    }

    fn log(&self) -> PathBuf {
        self.socket.with_file_name("log")
    }
}

/// What a process has used, from `/proc/PID/status` and `/proc/PID/stat`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Usage {
    /// Memory now, in units of 10^6 bytes.
    pub memory_mb: f64,
    /// The most memory so far, in the same units.
    pub peak_mb: f64,
    /// Processor time so far, user and system.
    pub cpu: Duration,
}

impl Usage {
    /// What this process has used.
    pub fn of(pid: u32) -> Result<Self> {
        let read = |file: &str| {
            let path = format!("/proc/{pid}/{file}");
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}: the process ended"))
        };
        Self::parse(&read("status")?, &read("stat")?)
    }

    fn parse(status: &str, stat: &str) -> Result<Self> {
        let megabytes = |field: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
            let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<f64>().ok());
            Ok::<_, anyhow::Error>(kibibytes.with_context(|| format!("no {field} in /proc"))? * 1024.0 / 1e6)
        };
        // The program's name is in parentheses and may hold anything, so fields are counted from behind it (proc(5)).
        let behind_name = stat.rsplit_once(") ").context("/proc/PID/stat is not as expected")?.1;
        let ticks: Vec<u64> = behind_name.split(' ').skip(11).take(2).map_while(|field| field.parse().ok()).collect();
        let [user, system] = ticks[..] else { bail!("no times in /proc/PID/stat") };
        let per_second = rustix::param::clock_ticks_per_second();
        let cpu = Duration::from_secs_f64((user + system) as f64 / per_second as f64);
        Ok(Self { memory_mb: megabytes("VmRSS")?, peak_mb: megabytes("VmHWM")?, cpu })
    }
}

/// Tries again until it goes well, for as long as something may take to answer.
pub async fn retried<T>(mut attempt: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    let deadline = Instant::now() + ANSWER_LIMIT;
    loop {
        match attempt().await {
            Ok(value) => return Ok(value),
            Err(error) if Instant::now() >= deadline => return Err(error),
            Err(_) => sleep(BETWEEN_TRIES).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_a_name_with_spaces_and_parentheses() {
        let status = "Name:\tx\nVmHWM:\t    4000 kB\nVmRSS:\t    1000 kB\n";
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 1 0 100 0 0\n";
        let usage = Usage::parse(status, stat).unwrap();
        assert_eq!(usage.memory_mb, 1.024);
        assert_eq!(usage.peak_mb, 4.096);
        assert_eq!(usage.cpu.as_secs_f64() * rustix::param::clock_ticks_per_second() as f64, 200.0);
    }

    #[test]
    fn a_process_that_has_ended_has_no_usage() {
        assert!(Usage::parse("Name:\tx\nState:\tZ (zombie)\n", "7 (x) Z 1").is_err());
    }
}
