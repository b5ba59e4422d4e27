//! Ports, and which of them a cluster needs to be reached at.

use std::fmt;
use std::str::FromStr;

use muster_protocol::model::cluster::Orchestrator;

/// One port or several in a row: `80`, `30000-32767`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct PortRange {
    pub(crate) from: u16,
    pub(crate) to: u16,
}

/// The ports at which an orchestrator's own API answers.
pub(crate) fn of_api(orchestrator: Orchestrator) -> Vec<PortRange> {
    let one = |port| PortRange { from: port, to: port };
    match orchestrator {
        Orchestrator::Kubernetes => vec![one(6443)],
        // Docker Engines with mutual TLS.
        Orchestrator::Swarm => vec![one(2376)],
        // Masters and agents.
        Orchestrator::Mesos => vec![PortRange { from: 5050, to: 5051 }],
        Orchestrator::Sim | Orchestrator::Unknown(_) => Vec::new(),
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.from == self.to { write!(f, "{}", self.from) } else { write!(f, "{}-{}", self.from, self.to) }
    }
}

impl FromStr for PortRange {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        let port = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0).ok_or(());
        let range = Self { from: port(from)?, to: port(to)? };
        if range.from <= range.to { Ok(range) } else { Err(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_ports_reads_back_from_its_text() {
        for text in ["80", "30000-32767"] {
            assert_eq!(text.parse::<PortRange>().unwrap().to_string(), text);
        }
        for wrong in ["0", "80-79", "x", "", "70000"] {
            assert!(wrong.parse::<PortRange>().is_err(), "{wrong}");
        }
    }
}
