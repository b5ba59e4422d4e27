//! The Debian package on a machine: where `cargo xtask test` has put it, and how it gets there.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use muster_tests::images::docker::docker;
use muster_tests::skip::docker_is_wanted;
use muster_tests_hosts::lab::{Host, Lab};
use tokio::time::{Instant, sleep};

/// Names the folder of the two packages. `cargo xtask test` sets it.
const FOLDER: &str = "MUSTER_TEST_PACKAGES";
/// How long systemd may take for anything on a busy host.
const LIMIT: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(100);

/// One of the two packages, which have the same programs in them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Package {
    /// Of this workspace's version.
    Present,
    /// Of a version below it.
    Earlier,
}

impl Package {
    /// The file.
    ///
    /// # Errors
    /// If it was not packed.
    pub fn file(self) -> Result<PathBuf> {
        let folder = std::env::var_os(FOLDER).map(PathBuf::from);
        let folder =
            folder.with_context(|| format!("{FOLDER} is not set; run: cargo xtask test -p muster-tests-packages"))?;
        let present = format!("muster_{}-1_", env!("CARGO_PKG_VERSION"));
        let entries = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
        let mut packages = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.ends_with(".deb") && name.starts_with(&present) == (self == Package::Present)
        });
        packages.next().with_context(|| format!("no such package in {}: {self:?}", folder.display()))
    }
}

/// A machine, and the lab that it is in.
pub struct Machine {
    host: Host,
    _lab: Lab,
}

/// Tells a story on a machine of this image, if tests with Docker are wanted. The journal is shown if it ends badly.
///
/// # Errors
/// If the machine does not boot, and the story's.
#[expect(clippy::print_stderr, reason = "the test runner shows it with the failure")]
pub async fn on_a_machine(test: &str, image: &str, story: impl AsyncFnOnce(&Machine) -> Result<()>) -> Result<()> {
    if !docker_is_wanted(test) {
        return Ok(());
    }
    let mut lab = Lab::start().await?;
    let host = lab.boot("packages", image).await?;
    let machine = Machine { host, _lab: lab };
    let ended = story(&machine).await;
    if ended.is_err() {
        let journal = machine.sh("journalctl --no-pager --lines 60 --unit 'muster*'").await;
        eprintln!("the end of the journal:\n{}", journal.unwrap_or_else(|error| format!("{error:#}")));
    }
    ended
}

impl Machine {
    /// The machine as a host, for its inventory.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Runs a script on it as root: what it says.
    ///
    /// # Errors
    /// If it fails.
    pub async fn sh(&self, script: &str) -> Result<String> {
        self.host.sh(script).await
    }

    /// Puts a package there: its path.
    ///
    /// # Errors
    /// If it was not packed, or Docker refuses.
    pub async fn bring(&self, package: Package) -> Result<&'static str> {
        let path = if package == Package::Present { "/var/tmp/present.deb" } else { "/var/tmp/earlier.deb" };
        let file = package.file()?;
        let file = file.to_str().context("the path of the package is not UTF-8")?;
        docker(&["cp", file, &format!("{}:{path}", self.host.container)]).await?;
        Ok(path)
    }

    /// Installs a package as an administrator does: what dpkg and the package say.
    ///
    /// # Errors
    /// If it cannot be installed.
    pub async fn install(&self, package: Package) -> Result<String> {
        let path = self.bring(package).await?;
        self.sh(&format!("dpkg --install {path} 2>&1")).await
    }

    /// The process of a unit; 0 if there is none.
    ///
    /// # Errors
    /// If systemd cannot be asked.
    pub async fn process_of(&self, unit: &str) -> Result<u32> {
        let said = self.sh(&format!("systemctl show --property MainPID --value {unit}")).await?;
        said.trim().parse().with_context(|| format!("a strange process: {said}"))
    }

    /// Waits until a script succeeds.
    ///
    /// # Errors
    /// If it does not in time.
    pub async fn until(&self, script: &str) -> Result<()> {
        let deadline = Instant::now() + LIMIT;
        while let Err(error) = self.sh(script).await {
            ensure!(Instant::now() < deadline, "not within {} s: {error:#}", LIMIT.as_secs());
            sleep(POLL).await;
        }
        Ok(())
    }
}
