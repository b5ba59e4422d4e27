//! What a host says it is, and whether a machine can be made of it.

use std::collections::BTreeSet;

use muster_protocol::model::cluster::{MachineShape, Orchestrator};
use muster_protocol::quantity::{Bytes, CpuMillis};

use crate::claim::Claim;

/// A host's clock may differ from the daemon's so much: certificates would else not be valid yet.
const CLOCK_SKEW_SECONDS: u64 = 120;
/// An orchestrator's packages and images need this.
const LEAST_DISK: Bytes = Bytes(3 << 30);
/// systemd, sshd and an engine need about 100 MiB.
const LEAST_MEMORY: Bytes = Bytes(512 << 20);

/// What a host said.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct HostFacts {
    pub(crate) os: String,
    pub(crate) kernel: String,
    pub(crate) architecture: String,
    pub(crate) cores: u64,
    pub(crate) memory: Bytes,
    /// Free where engines keep their data.
    pub(crate) disk: Bytes,
    /// Seconds since 1970.
    pub(crate) clock: u64,
    pub(crate) has_systemd: bool,
    pub(crate) has_apt: bool,
    /// Whether it has `flock`, without which nothing can be claimed safely.
    pub(crate) is_lockable: bool,
    /// Somebody is claiming or leaving it at present.
    pub(crate) is_busy: bool,
    /// The Docker Engine that is installed.
    pub(crate) engine: Option<String>,
    /// How many containers that engine has, running or not.
    pub(crate) containers: u64,
    /// Namespaces of containerd that have containers, with their number.
    pub(crate) containerd: Vec<(String, u64)>,
    /// Orchestrators that are there.
    pub(crate) orchestrators: Vec<String>,
    /// Ports in use, as `tcp/22`.
    pub(crate) ports: BTreeSet<String>,
    /// Who has it; the line itself if it cannot be read.
    pub(crate) claim: Option<Result<Claim, String>>,
}

impl HostFacts {
    /// Reads what `facts.sh` said.
    pub(crate) fn read(lines: &[String]) -> Self {
        let mut facts = Self::default();
        let number = |value: &str| value.trim().parse().unwrap_or(0);
        for (name, value) in lines.iter().filter_map(|line| line.split_once('=')) {
            match name {
                "os" => facts.os = value.to_owned(),
                "kernel" => facts.kernel = value.to_owned(),
                "architecture" => facts.architecture = value.to_owned(),
                "cores" => facts.cores = number(value),
                "memory-kib" => facts.memory = whole_mib(number(value)),
                "disk-kib" => facts.disk = whole_mib(number(value)),
                "clock" => facts.clock = number(value),
                "systemd" => facts.has_systemd = true,
                "apt" => facts.has_apt = true,
                "lockable" => facts.is_lockable = true,
                "busy" => facts.is_busy = true,
                "engine" => facts.engine = Some(value.to_owned()),
                "containers" => facts.containers = number(value),
                "containerd" => {
                    let (namespace, count) = value.split_once(' ').unwrap_or((value, "0"));
                    facts.containerd.push((namespace.to_owned(), number(count)));
                }
                "orchestrator" => facts.orchestrators.push(value.to_owned()),
                "ports" => facts.ports.extend(value.split_whitespace().map(str::to_owned)),
                "claim" => facts.claim = Some(Claim::read(value)),
                // A word that a newer script says.
                _ => {}
            }
        }
        facts
    }

    /// In one line, for people.
    pub(crate) fn summary(&self) -> String {
        format!(
            "{}, Linux {}, {}, {} cores, {} memory, {} free",
            self.os, self.kernel, self.architecture, self.cores, self.memory, self.disk
        )
    }

    /// Why no machine can be made of the host: each reason with what can be done about it. None if one can.
    pub(crate) fn obstacles(&self, wanted: &WantedMachine<'_>) -> Vec<Obstacle> {
        let mut obstacles = Vec::new();
        let mut add = |what: String, remedy: &'static str| obstacles.push(Obstacle { what, remedy });
        if !self.has_systemd || !self.is_lockable {
            add(format!("{} is no Linux with systemd and flock", self.os), "use Debian or Ubuntu");
        } else if !self.has_apt && self.engine.is_none() {
            add(format!("{} has no apt to install with", self.os), "use Debian or Ubuntu");
        }
        if self.memory < wanted.memory() {
            let message = format!("it has {} memory, and {} are wanted", self.memory, wanted.memory());
            add(message, "ask for less, or use a larger host");
        }
        if let Some(cpu) = wanted.shape.cpu.filter(|cpu| CpuMillis(self.cores * 1000) < *cpu) {
            add(format!("it has {} cores, and {cpu} are wanted", self.cores), "ask for less, or use a larger host");
        }
        if self.disk < wanted.disk() {
            let message = format!("{} are free in /var/lib, and {} are wanted", self.disk, wanted.disk());
            add(message, "make room, or use a larger host");
        }
        let skew = self.clock.abs_diff(wanted.clock);
        if skew > CLOCK_SKEW_SECONDS {
            add(format!("its clock differs by {skew} s from the daemon's"), "set its clock, for example with chrony");
        }
        for orchestrator in &self.orchestrators {
            add(
                format!("it is part of another orchestrator: {orchestrator}"),
                "take it out of that one, or use another host",
            );
        }
        if self.containers > 0 {
            let message = format!("its Docker Engine has {} containers that are not Muster's", self.containers);
            add(message, "remove them if nobody needs them, or use another host");
        }
        for (namespace, count) in self.containerd.iter().filter(|(_, count)| *count > 0) {
            let message = format!("containerd has {count} containers in namespace `{namespace}` that are not Muster's");
            add(message, "remove them if nobody needs them, or use another host");
        }
        let taken: Vec<&str> =
            needed_ports(wanted.orchestrator).iter().copied().filter(|port| self.ports.contains(*port)).collect();
        if !taken.is_empty() {
            let message = format!("{} needs ports that are in use: {}", wanted.orchestrator, taken.join(", "));
            add(message, "stop what listens there (`ss -tulpn` says what), or use another host");
        }
        obstacles
    }
}

/// Kibibytes as people read them.
fn whole_mib(kib: u64) -> Bytes {
    Bytes((kib >> 10) << 20)
}

/// What a machine should be made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WantedMachine<'a> {
    pub(crate) orchestrator: Orchestrator,
    pub(crate) shape: &'a MachineShape,
    /// The daemon's clock, in seconds since 1970.
    pub(crate) clock: u64,
}

impl WantedMachine<'_> {
    fn memory(&self) -> Bytes {
        self.shape.memory.unwrap_or(LEAST_MEMORY)
    }

    fn disk(&self) -> Bytes {
        self.shape.disk.unwrap_or(LEAST_DISK)
    }
}

/// Why a host is not to be had.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Obstacle {
    pub(crate) what: String,
    pub(crate) remedy: &'static str,
}

/// The ports that an orchestrator's parts listen at on its machines: one that is taken is only noticed when it is joined.
fn needed_ports(orchestrator: Orchestrator) -> &'static [&'static str] {
    match orchestrator {
        Orchestrator::Swarm => &["tcp/2376", "tcp/2377", "tcp/7946", "udp/7946", "udp/4789"],
        Orchestrator::Kubernetes => {
            &["tcp/2379", "tcp/2380", "tcp/6443", "tcp/10250", "tcp/10256", "tcp/10257", "tcp/10259", "udp/8472"]
        }
        Orchestrator::Mesos => &["tcp/2181", "tcp/5050", "tcp/5051"],
        Orchestrator::Sim | Orchestrator::Unknown(_) => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "lockable=yes\nos=Debian GNU/Linux 12 (bookworm)\nkernel=6.1.0\narchitecture=x86_64\ncores=2\n\
        memory-kib=4194304\ndisk-kib=10485760\nclock=1000\nsystemd=yes\napt=yes\nports=tcp/22 udp/68";

    fn facts(more: &str) -> HostFacts {
        HostFacts::read(&format!("{PLAIN}\n{more}").lines().map(str::to_owned).collect::<Vec<_>>())
    }

    fn obstacles(more: &str, shape: &MachineShape) -> Vec<String> {
        let wanted = WantedMachine { orchestrator: Orchestrator::Swarm, shape, clock: 1_060 };
        facts(more).obstacles(&wanted).into_iter().map(|obstacle| obstacle.what).collect()
    }

    #[test]
    fn a_plain_host_is_to_be_had_and_an_empty_engine_is_no_obstacle() {
        let shape = MachineShape::default();
        assert_eq!(obstacles("", &shape), Vec::<String>::new());
        assert_eq!(
            obstacles("engine=Docker version 20.10\ncontainers=0\ncontainerd=default 0", &shape),
            Vec::<String>::new()
        );
        assert_eq!(
            facts("").summary(),
            "Debian GNU/Linux 12 (bookworm), Linux 6.1.0, x86_64, 2 cores, 4Gi memory, 10Gi free"
        );
    }

    #[test]
    fn what_would_break_somebodys_work_is_an_obstacle() {
        let shape = MachineShape::default();
        for (more, says) in [
            ("engine=Docker\ncontainers=3", "has 3 containers"),
            ("containerd=k8s.io 4", "containerd has 4 containers in namespace `k8s.io`"),
            ("orchestrator=Docker Swarm (active)", "another orchestrator: Docker Swarm (active)"),
            ("orchestrator=k3s", "another orchestrator: k3s"),
            ("ports=tcp/2377 tcp/8080\nports=udp/4789", "swarm needs ports that are in use: tcp/2377, udp/4789"),
            ("clock=10", "its clock differs by 1050 s"),
            ("disk-kib=1000", "are free in /var/lib"),
            ("memory-kib=1000", "and 512Mi are wanted"),
        ] {
            let found = obstacles(more, &shape);
            assert!(found.len() == 1 && found[0].contains(says), "{more}: {found:?}");
        }
    }

    #[test]
    fn a_shape_is_the_least_that_a_host_has_to_have() {
        let shape = MachineShape {
            cpu: Some(CpuMillis(4000)),
            memory: Some(Bytes(8 << 30)),
            disk: Some(Bytes(20 << 30)),
            image: None,
        };
        assert_eq!(obstacles("", &shape).len(), 3);
    }

    #[test]
    fn a_claim_is_read_and_one_that_cannot_be_read_is_somebodys() {
        assert_eq!(facts("").claim, None);
        assert_eq!(facts("claim=?").claim, Some(Err("?".to_owned())));
    }
}
