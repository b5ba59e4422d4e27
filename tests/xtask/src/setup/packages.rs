//! The Debian packages that tests and demo need.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::{host, shell};

/// A package, and why it is needed.
struct Need {
    package: &'static str,
    /// A program that serves as well, wherever it comes from (Docker's own packages, a build by hand).
    or_program: Option<&'static str>,
    why: &'static str,
    /// A service that the package starts by itself and that nobody asked for.
    unwanted_service: Option<&'static str>,
}

const NEEDS: [Need; 13] = [
    Need { package: "curl", or_program: Some("curl"), why: "asks the HTTP bridge in the demo", unwanted_service: None },
    Need {
        package: "docker.io",
        or_program: Some("dockerd"),
        why: "local machines are containers of the Docker Engine",
        unwanted_service: None,
    },
    Need {
        package: "debootstrap",
        or_program: Some("debootstrap"),
        why: "builds the machine images without an image registry",
        unwanted_service: None,
    },
    Need {
        package: "debian-archive-keyring",
        or_program: None,
        why: "checks the signatures of the packages in the machine images",
        unwanted_service: None,
    },
    Need {
        package: "docker-registry",
        or_program: Some("docker-registry"),
        why: "serves the tests' service images to the machines",
        unwanted_service: Some("docker-registry"),
    },
    Need {
        package: "busybox-static",
        or_program: None,
        why: "the program inside the tests' small service images",
        unwanted_service: None,
    },
    Need {
        package: "strace",
        or_program: Some("strace"),
        why: "counts what the store really syncs",
        unwanted_service: None,
    },
    Need {
        package: "chromium",
        or_program: None,
        why: "the browser in which the bridge's page is tested",
        unwanted_service: None,
    },
    Need {
        package: "npm",
        or_program: Some("npm"),
        why: "installs and runs what drives the browser",
        unwanted_service: None,
    },
    Need {
        package: "python3-venv",
        or_program: None,
        why: "a place for Python's tools: schemathesis, which tries the bridge against its description, and moto, which answers as EC2 does",
        unwanted_service: None,
    },
    Need {
        package: "apt-utils",
        or_program: Some("apt-ftparchive"),
        why: "makes the index of the tests' package repository",
        unwanted_service: None,
    },
    Need {
        package: "dpkg-dev",
        or_program: Some("dpkg-shlibdeps"),
        why: "finds the libraries that the Debian package depends on",
        unwanted_service: None,
    },
    Need {
        package: "gnupg",
        or_program: Some("gpg"),
        why: "signs the tests' package repository",
        unwanted_service: None,
    },
];

/// How long another apt or dpkg may hold its lock.
const LOCK_LIMIT: Duration = Duration::from_secs(300);

/// Installs what is missing, saying what and why.
pub fn install(cache: &Path) -> Result<()> {
    let missing = missing()?;
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|need| need.package).collect();
    let names_line = names.join(" ");
    if !host::is_root() {
        let reasons: Vec<String> = missing.iter().map(|need| format!("  {}: {}", need.package, need.why)).collect();
        bail!(
            "these packages are missing, and only root can install them:\n{}\nrun: sudo apt-get install -y {names_line}",
            reasons.join("\n")
        );
    }
    for need in &missing {
        shell::say(format!("installing {}: {}", need.package, need.why));
    }
    let log = cache.join("apt.log");
    // The lists of a fresh host are missing or old. Trying without them first saves an update where they are good.
    if apt_get(&log, &["install", "-y", "--no-install-recommends"], &names).is_err() {
        apt_get(&log, &["update"], &[])?;
        apt_get(&log, &["install", "-y", "--no-install-recommends"], &names)?;
    }
    for service in missing.iter().filter_map(|need| need.unwanted_service) {
        if host::has_systemd() {
            shell::run_logged(Command::new("systemctl").args(["disable", "--now", service]), &log)?;
        }
    }
    Ok(())
}

fn missing() -> Result<Vec<&'static Need>> {
    if !host::has_program("dpkg-query") {
        bail!("this host has no dpkg; xtask installs what it needs only on Debian and Ubuntu");
    }
    let output = Command::new("dpkg-query")
        .args(["-W", "-f", "${Package} ${db:Status-Status}\\n"])
        .args(NEEDS.map(|need| need.package))
        .output()
        .context("cannot start dpkg-query")?;
    // dpkg-query exits with 1 when it knows nothing of a package; the others are listed all the same.
    let listing = String::from_utf8_lossy(&output.stdout);
    let is_there = |need: &Need| is_installed(&listing, need.package) || need.or_program.is_some_and(host::has_program);
    Ok(NEEDS.iter().filter(|need| !is_there(need)).collect())
}

/// Whether a listing of `package status` lines has this package fully installed.
fn is_installed(listing: &str, package: &str) -> bool {
    listing.lines().any(|line| line.split_once(' ') == Some((package, "installed")))
}

/// Runs apt-get, waiting for others that use it.
fn apt_get(log: &Path, action: &[&str], packages: &[&str]) -> Result<()> {
    let mut last_error = None;
    let done = shell::poll(LOCK_LIMIT, || {
        let mut command = Command::new("apt-get");
        command
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("NEEDRESTART_SUSPEND", "1")
            .args(["-q", "-o", "Acquire::Retries=3"])
            .arg(format!("-oDPkg::Lock::Timeout={}", LOCK_LIMIT.as_secs()))
            .args(action)
            .args(packages);
        match shell::run_logged(&mut command, log) {
            Ok(()) => Ok(Some(())),
            // apt's own lock timeout covers dpkg's lock only, not the one on the lists.
            Err(error) if is_locked(&error.to_string()) => {
                if last_error.is_none() {
                    shell::say("another program holds apt's lock; waiting for it");
                }
                last_error = Some(error);
                shell::pause(Duration::from_secs(2));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    })?;
    match (done, last_error) {
        (Some(()), _) => Ok(()),
        (None, Some(error)) => Err(error.context("apt's lock did not come free; end the program that holds it")),
        (None, None) => bail!("apt-get was never started"),
    }
}

fn is_locked(message: &str) -> bool {
    message.contains("Could not get lock") || message.contains("Unable to lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_package_with_its_configuration_left_counts_as_missing() {
        let listing = "docker.io installed\ndebootstrap config-files\nbusybox-static not-installed\n";
        assert!(is_installed(listing, "docker.io"));
        assert!(!is_installed(listing, "debootstrap"));
        assert!(!is_installed(listing, "busybox-static"));
        assert!(!is_installed(listing, "docker"));
    }

    #[test]
    fn only_a_held_lock_is_waited_for() {
        assert!(is_locked("E: Could not get lock /var/lib/apt/lists/lock. It is held by process 1 (apt)"));
        assert!(!is_locked("E: Unable to locate package docker.io"));
    }
}
