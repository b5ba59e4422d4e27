//! The Docker Engine: answering, or started.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::{host, shell};

/// A cold start with the containers of an earlier run takes seconds; a busy CI host some more.
const START_LIMIT: Duration = Duration::from_secs(90);

/// Where dockerd keeps its process id.
const PID_FILE: &str = "/var/run/docker.pid";

/// Makes sure that the engine answers, and returns its version.
pub fn start(cache: &Path) -> Result<String> {
    let refusal = match version() {
        Ok(version) => return Ok(version),
        Err(error) => error,
    };
    if !host::is_root() {
        return Err(refusal.context(
            "the Docker Engine does not answer this user\nrun: sudo usermod -aG docker $USER, and log in again; or run xtask as root",
        ));
    }
    if host::has_systemd() {
        shell::say("starting the Docker Engine (docker.service)");
        shell::run(Command::new("systemctl").args(["start", "docker"]))?;
        return wait(None, "journalctl -u docker");
    }
    if is_starting()? {
        shell::say("dockerd is starting; waiting for it");
        return wait(None, "the log of whoever started it");
    }
    let log = cache.join("dockerd.log");
    shell::say(format!("starting dockerd: no systemd on this host does it; log: {}", log.display()));
    let output = shell::append_to(&log)?;
    // Its own session: it stays when this terminal goes.
    let child = Command::new("setsid")
        .arg("dockerd")
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .process_group(0)
        .spawn()
        .context("cannot start dockerd")?;
    wait(Some((child, &log)), &log.display().to_string())
}

fn wait(mut started: Option<(Child, &Path)>, log: &str) -> Result<String> {
    let answer = shell::poll(START_LIMIT, || {
        if let Ok(version) = version() {
            return Ok(Some(version));
        }
        if let Some((child, log)) = &mut started {
            // setsid in a session leader's place forks and exits with 0; any other end is dockerd's own.
            if let Some(status) = child.try_wait()?.filter(|status| !status.success()) {
                let output = fs::read_to_string(*log).unwrap_or_default();
                bail!("dockerd ended ({status}):\n{}\nall of it: {}", shell::tail(&output), log.display());
            }
        }
        Ok(None)
    })?;
    answer.with_context(|| format!("the Docker Engine does not answer after {} s; see {log}", START_LIMIT.as_secs()))
}

fn version() -> Result<String> {
    // `docker version` fails when the server does not answer; `docker info` of newer clients does not.
    shell::capture(Command::new("docker").args(["version", "--format", "{{.Server.Version}}"]))
}

/// Whether dockerd runs already. A pid file that says so wrongly is removed: after a crash of the host its number may be
/// another program's, and dockerd then refuses to start.
fn is_starting() -> Result<bool> {
    let Ok(pid) = fs::read_to_string(PID_FILE) else {
        return Ok(false);
    };
    let name = fs::read_to_string(format!("/proc/{}/comm", pid.trim())).unwrap_or_default();
    if name.trim() == "dockerd" {
        return Ok(true);
    }
    fs::remove_file(PID_FILE).with_context(|| format!("cannot remove the stale {PID_FILE}"))?;
    Ok(false)
}
