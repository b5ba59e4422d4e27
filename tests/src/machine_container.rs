//! A container that is like a machine, for tests that hand machines over to somebody: systemd, sshd, room for engines.

use std::process::Command;

use anyhow::{Context, Result, bail};
use muster_capabilities::{HOST_STATUS, of_status};

use crate::images::docker::docker;

/// The mark of everything that tests make. Its value says which part of which test.
pub const LABEL: &str = "io.muster.test";
/// A machine with a Docker Engine.
pub const MACHINE_IMAGE: &str = "muster/machine:bookworm";
/// A machine without one.
pub const PLAIN_IMAGE: &str = "muster/machine-plain:bookworm";

const VOLUMES: [&str; 4] = ["/var/lib/docker", "/var/lib/containerd", "/var/lib/kubelet", "/var/lib/etcd"];

/// What a container is to be.
#[derive(Clone, Copy, Debug)]
pub struct MachineContainer<'a> {
    /// Its name at the engine.
    pub name: &'a str,
    /// The name that it has for itself.
    pub host_name: &'a str,
    /// The network that it is in.
    pub network: &'a str,
    /// Its address there; without one, any.
    pub address: Option<&'a str>,
    /// Its labels, as `NAME=VALUE`.
    pub labels: &'a [String],
    /// Its image.
    pub image: &'a str,
    /// Whether engines find volumes of their own, as nested ones need.
    pub with_volumes: bool,
}

impl MachineContainer<'_> {
    /// Boots it: its id.
    ///
    /// # Errors
    /// If Docker refuses.
    pub async fn boot(&self) -> Result<String> {
        let mut arguments: Vec<&str> = vec!["run", "-d", "--name", self.name, "--hostname", self.host_name];
        arguments.extend(["--network", self.network]);
        arguments.extend(self.address.iter().flat_map(|address| ["--ip", address]));
        arguments.extend(self.labels.iter().flat_map(|label| ["--label", label.as_str()]));
        arguments.extend(["--stop-signal", "SIGRTMIN+3", "--cgroupns", "private"]);
        for option in ["seccomp=unconfined", "apparmor=unconfined", "systempaths=unconfined"] {
            arguments.extend(["--security-opt", option]);
        }
        arguments.extend(["--device-cgroup-rule", "a *:* rwm"]);
        arguments.extend(["/run", "/run/lock", "/tmp:exec"].iter().flat_map(|folder| ["--tmpfs", folder]));
        let status = std::fs::read_to_string(HOST_STATUS).context("the host's capabilities cannot be read")?;
        let capabilities = of_status(&status).context("the host's capabilities cannot be read")?;
        arguments.extend(capabilities.iter().flat_map(|capability| ["--cap-add", capability]));
        if self.with_volumes {
            arguments.extend(VOLUMES.iter().flat_map(|volume| ["-v", volume]));
        }
        arguments.push(self.image);
        docker(&arguments).await.with_context(|| format!("cannot boot {}", self.name))
    }
}

/// Lets somebody with this public key in as root, and waits for the host key that the machine makes itself: its line.
///
/// # Errors
/// If Docker refuses, or the machine makes none.
pub async fn let_in(container: &str, public_key: &str) -> Result<String> {
    let script = format!(
        "umask 077; mkdir -p /root/.ssh; printf '%s\\n' '{}' > /root/.ssh/authorized_keys; \
         while ! [ -s /etc/ssh/ssh_host_ed25519_key.pub ]; do sleep 0.1; done; cat /etc/ssh/ssh_host_ed25519_key.pub",
        public_key.trim()
    );
    Ok(docker(&["exec", container, "timeout", "30", "sh", "-c", &script]).await?.trim().to_owned())
}

/// A bridge of this name with a range of `10.SECOND.0.0/16` that nobody has yet: the even one of two neighbours, as
/// `10.SECOND.n.0/24`; the odd one, [`neighbour`], is in it too.
///
/// # Errors
/// If Docker refuses, or all are taken.
pub async fn make_network(name: &str, second: u8) -> Result<String> {
    let first = std::process::id() % 100;
    for number in 0..100 {
        let third = (first + number) % 100 * 2;
        let (cidr, both) = (format!("10.{second}.{third}.0/24"), format!("10.{second}.{third}.0/23"));
        let label = format!("{LABEL}={name}");
        let made = docker(&["network", "create", "--subnet", &both, "--label", &label, name]).await;
        match made {
            Ok(_) => return Ok(cidr),
            Err(error) if error.to_string().contains("overlaps") => {}
            Err(error) => return Err(error),
        }
    }
    bail!("no range of 10.{second}.0.0/16 is free")
}

/// The other half of a network that was made for `10.SECOND.n.0/24`.
pub fn neighbour(cidr: &str) -> Option<String> {
    let [first, second, third, rest] = cidr.split('.').collect::<Vec<_>>()[..] else { return None };
    Some(format!("{first}.{second}.{}.{rest}", third.parse::<u8>().ok()? + 1))
}

/// Removes the containers and the network that have this name as their mark. It waits; for `Drop`.
pub fn remove_all_of(name: &str) {
    let filter = format!("label={LABEL}={name}");
    let run = |arguments: &[&str]| {
        let output = Command::new("docker").args(arguments).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
    };
    for id in run(&["ps", "-aq", "--filter", &filter]).split_whitespace() {
        run(&["rm", "-fv", id]);
    }
    run(&["network", "rm", name]);
}
