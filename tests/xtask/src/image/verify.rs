//! An image is good when a machine boots from it; only then it becomes `bookworm`.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::docker;
use crate::{host, shell};

const BOOT_LIMIT: Duration = Duration::from_secs(60);

/// What is made here to try an image carries it, for whoever cleans up after a run that was killed.
pub const LABEL: &str = "io.muster.test=image";

/// What the parameters are for is in daemon/drivers/local/image/README.md.
const PARAMETERS: [&str; 22] = [
    "--label",
    LABEL,
    "--cgroupns=private",
    "--stop-signal=SIGRTMIN+3",
    "--tmpfs=/run",
    "--tmpfs=/run/lock",
    "--tmpfs=/tmp:exec",
    "--mount",
    "type=volume,dst=/var/lib/docker,volume-label=io.muster.test=image",
    "--mount",
    "type=volume,dst=/var/lib/containerd,volume-label=io.muster.test=image",
    "--mount",
    "type=volume,dst=/var/lib/kubelet,volume-label=io.muster.test=image",
    "--mount",
    "type=volume,dst=/var/lib/etcd,volume-label=io.muster.test=image",
    "--security-opt",
    "seccomp=unconfined",
    "--security-opt",
    "apparmor=unconfined",
    "--security-opt",
    "systempaths=unconfined",
    "--device-cgroup-rule=c 1:11 r",
];

/// Starts a machine, waits till systemd is up, and removes it.
pub fn boots(image: &str) -> Result<()> {
    let mut arguments = vec!["create"];
    arguments.extend(PARAMETERS);
    let capabilities = host::grantable_capabilities()?;
    for capability in &capabilities {
        arguments.extend(["--cap-add", capability]);
    }
    arguments.push(image);
    let id = docker(&arguments)?;
    // One that does not even start is there all the same.
    let result = docker(&["start", &id]).and_then(|_| wait_for_boot(image, &id));
    let removed = docker(&["rm", "--force", "--volumes", &id]);
    result.and(removed.map(drop))
}

fn wait_for_boot(image: &str, id: &str) -> Result<()> {
    let start = Instant::now();
    let mut state = String::from("no answer");
    let up = shell::poll(BOOT_LIMIT, || {
        // It exits with 1 in every state but `running`, so the text decides.
        let output = Command::new("docker").args(["exec", id, "systemctl", "is-system-running"]).output()?;
        state = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Ok(matches!(state.as_str(), "running" | "degraded" | "maintenance").then_some(()))
    })?;
    if up.is_none() || state == "maintenance" {
        let logs = docker(&["logs", "--tail", "20", id]).unwrap_or_default();
        bail!(
            "a machine of {image} does not boot (systemd says `{state}`)\nfailed units: {}\n{logs}",
            failed_units(id)
        );
    }
    if state == "degraded" {
        // A host may refuse one unit what another allows; machines are of use all the same.
        shell::say(format!("{image}: units that do not start on this host: {}", failed_units(id)));
    }
    shell::say(format!("{image} boots in {:.1} s", start.elapsed().as_secs_f32()));
    Ok(())
}

fn failed_units(id: &str) -> String {
    let listing = docker(&["exec", id, "systemctl", "--failed", "--plain", "--no-legend"]).unwrap_or_default();
    listing.lines().filter_map(|line| line.split(' ').next()).collect::<Vec<_>>().join(", ")
}
