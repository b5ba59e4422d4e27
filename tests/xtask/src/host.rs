//! What this host is and may do.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use muster_capabilities::{HOST_STATUS, NAMES, of_status};

use crate::shell;

/// The folder in which everything that xtask keeps lives: `MUSTER_CACHE_DIR`, or by user.
pub fn cache_dir() -> Result<PathBuf> {
    if let Some(dir) = std::env::var_os("MUSTER_CACHE_DIR") {
        return std::path::absolute(dir).context("MUSTER_CACHE_DIR is not a usable path");
    }
    if is_root() {
        return Ok(PathBuf::from("/var/cache/muster"));
    }
    if let Some(dir) = std::env::var_os("XDG_CACHE_HOME") {
        return Ok(PathBuf::from(dir).join("muster"));
    }
    let home = std::env::var_os("HOME").context("no place for the cache: set MUSTER_CACHE_DIR (HOME is not set)")?;
    Ok(PathBuf::from(home).join(".cache/muster"))
}

/// The root of the checkout.
pub fn checkout() -> PathBuf {
    // cargo says at run time where this package lies. What was compiled in may be another checkout's path, where several
    // share a target folder; it serves when the program is started without cargo.
    let running = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let is_ours = |path: &PathBuf| path.ends_with("tests/xtask");
    let package = running.filter(is_ours).unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    package.ancestors().nth(2).unwrap_or(&package).to_owned()
}

/// Where cargo puts what it builds.
pub fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| checkout().join("target"), PathBuf::from)
}

/// The cargo that started us, so that its toolchain is used all the way.
pub fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(checkout());
    cargo
}

/// Whether this process may install packages and make file systems.
pub fn is_root() -> bool {
    shell::capture(Command::new("id").arg("-u")).is_ok_and(|uid| uid == "0")
}

/// Whether systemd runs this host, and thus its services.
pub fn has_systemd() -> bool {
    Path::new("/run/systemd/system").exists()
}

/// Whether a program is installed, also where a plain user's PATH does not reach.
pub fn has_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .any(|folder| folder.join(name).is_file())
}

/// The capabilities to give to a machine: all that the Docker Engine's host has and that the engine knows by name.
pub fn grantable_capabilities() -> Result<Vec<&'static str>> {
    let status = std::fs::read_to_string(HOST_STATUS).context("cannot read the host's capabilities")?;
    of_status(&status).with_context(|| format!("{HOST_STATUS} has no line CapBnd"))
}

/// The version of control groups by the type of the file system at `/sys/fs/cgroup`, from `/proc/mounts`.
fn cgroup_version(mounts: &str) -> Option<u8> {
    let mut types = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        (fields.next() == Some("/sys/fs/cgroup")).then(|| fields.next()).flatten()
    });
    // The last mount on a mount point is the one that is seen.
    types.next_back().map(|kind| if kind == "cgroup2" { 2 } else { 1 })
}

/// One line on what this host can do, for logs that are read elsewhere.
pub fn describe() -> Result<String> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").context("cannot read the host's mounts")?;
    let cgroup =
        cgroup_version(&mounts).context("no control groups at /sys/fs/cgroup; the Docker Engine needs them")?;
    let granted = grantable_capabilities()?;
    let lacking: Vec<&str> = NAMES.into_iter().filter(|name| !granted.contains(name)).collect();
    let capabilities =
        if lacking.is_empty() { "all capabilities".to_owned() } else { format!("no {}", lacking.join(", ")) };
    Ok(format!("cgroup v{cgroup}, {capabilities}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cgroup_versions_are_told_by_the_mount() {
        let v1 = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        let v2 = "sysfs /sys sysfs rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw,nsdelegate 0 0\n";
        assert_eq!(cgroup_version(v1), Some(1));
        assert_eq!(cgroup_version(v2), Some(2));
        assert_eq!(cgroup_version("proc /proc proc rw 0 0\n"), None);
    }
}
