//! Removes what tests and demos left behind: this run's, and those of runs that were killed.
//!
//! Everything is found by a mark that only they set, so nothing of a real daemon on the same host is touched. Their folder,
//! `$MUSTER_TEST_DIR` for tests, has the marks:
//! - `instances/`: a file's name is the `io.muster.instance` label of all that a daemon of theirs made,
//! - `daemons/*.pid`: processes, to be ended if they still are what we start.
//!
//! And the folder itself goes, where they have their temporary files.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

use crate::image::docker;
use crate::shell;

/// How long a daemon may take to shut down before it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// Kinds of Docker objects: how to list their ids, how to remove them. In this order nothing is still in use.
const OBJECTS: [(&[&str], &[&str]); 4] = [
    (&["ps", "--all", "--quiet"], &["rm", "--force", "--volumes"]),
    (&["network", "ls", "--quiet"], &["network", "rm"]),
    (&["volume", "ls", "--quiet"], &["volume", "rm", "--force"]),
    (&["image", "ls", "--quiet"], &["image", "rm", "--force"]),
];

/// Programs of ours that may outlive who started them.
const PROGRAMS: [&str; 4] = ["musterd", "muster-bridge", "registry", "kubernetes-parts"];

/// Cleans up what `folder` and these labels name, and returns how many processes and Docker objects there were.
pub fn clean(folder: &Path, labels: &[&str]) -> Result<usize> {
    // Daemons first: a living one would put back what is removed under it.
    let mut removed = 0;
    for file in files_in(&folder.join("daemons"))? {
        removed += usize::from(stop_process(&file)?);
    }
    let mut labels: Vec<String> = labels.iter().map(|&label| label.to_owned()).collect();
    for file in files_in(&folder.join("instances"))? {
        if let Some(name) = file.file_name() {
            labels.push(format!("io.muster.instance={}", name.to_string_lossy()));
        }
    }
    for label in &labels {
        for (list, remove) in OBJECTS {
            removed += remove_labelled(label, list, remove)?;
        }
    }
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(removed),
    }
}

fn remove_labelled(label: &str, list: &[&str], remove: &[&str]) -> Result<usize> {
    let filter = format!("label={label}");
    let output = docker(&[list, &["--filter", &filter]].concat())?;
    // An image with two names is listed twice.
    let ids: std::collections::BTreeSet<&str> = output.lines().collect();
    if ids.is_empty() {
        return Ok(0);
    }
    let ids: Vec<&str> = ids.into_iter().collect();
    docker(&[remove, &ids].concat())?;
    Ok(ids.len())
}

/// Stops the process that a pid file names; says whether there was one.
fn stop_process(pid_file: &Path) -> Result<bool> {
    let text = fs::read_to_string(pid_file).with_context(|| format!("cannot read {}", pid_file.display()))?;
    let Ok(pid) = text.trim().parse::<u32>() else {
        return Ok(false);
    };
    if !is_ours(pid) {
        return Ok(false);
    }
    signal(pid, Signal::TERM);
    if shell::poll(STOP_LIMIT, || Ok((!is_ours(pid)).then_some(())))?.is_none() {
        signal(pid, Signal::KILL);
    }
    Ok(true)
}

/// Whether this process is one of ours; its number may long be another's.
fn is_ours(pid: u32) -> bool {
    // After a rebuild of the file the link ends in ` (deleted)`. A zombie has no link: it is gone for our purpose.
    fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| {
        let exe = exe.to_string_lossy();
        Path::new(exe.trim_end_matches(" (deleted)"))
            .file_name()
            .is_some_and(|name| PROGRAMS.iter().any(|&ours| name == ours))
    })
}

fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // It may have ended by itself just now.
        let _ended = kill_process(pid, signal);
    }
}

fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).with_context(|| format!("cannot list {}", folder.display())),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_pid_file_that_names_another_program_stops_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.pid");
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        fs::write(&file, format!("{}\n", child.id())).unwrap();
        assert!(!stop_process(&file).unwrap());
        assert!(child.try_wait().unwrap().is_none(), "the process must still run");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_daemon_named_by_its_pid_file_is_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("musterd");
        // By another process: a test that forks while this one has the copy open for writing would make it "text file busy".
        assert!(Command::new("cp").arg("/bin/sleep").arg(&program).status().unwrap().success());
        let mut child = Command::new(&program).arg("60").spawn().unwrap();
        let file = folder.path().join("a.pid");
        fs::write(&file, child.id().to_string()).unwrap();
        assert!(stop_process(&file).unwrap());
        assert!(!child.wait().unwrap().success());
        assert!(!stop_process(&file).unwrap(), "stopped already");
    }

    #[test]
    fn an_empty_or_torn_pid_file_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.pid");
        fs::write(&file, "").unwrap();
        assert!(!stop_process(&file).unwrap());
    }
}
