//! What is known not to hold yet. A case in this list is performed as any other; once it holds, the run fails until the
//! list says so too.

use muster_client::protocol::model::cluster::{Infrastructure, Orchestrator};

use crate::column::Column;

/// A case that does not hold.
pub struct Gap {
    /// The case's name.
    pub case: &'static str,
    /// Where it does not hold.
    pub on: &'static [Column],
    /// Why.
    pub reason: &'static str,
}

const SWARM: Column = Column::Orchestrator(Orchestrator::Swarm);
const KUBERNETES: Column = Column::Orchestrator(Orchestrator::Kubernetes);
const HOSTS: Column = Column::Infrastructure(Infrastructure::Hosts);

/// All of them.
pub const GAPS: &[Gap] = &[
    Gap {
        case: "a tag means the same image for every copy of one submission",
        on: &[KUBERNETES],
        reason: "the daemon asks no registry, and Kubernetes' API cannot: each kubelet resolves the tag for itself",
    },
    Gap {
        case: "a refresh follows a tag that was moved, and changes no copy if it was not",
        on: &[KUBERNETES],
        reason: "no digest is known there, so a tag that was moved looks like the one before",
    },
    Gap {
        case: "a copy that had to be killed is told as an event",
        on: &[KUBERNETES],
        reason: "a pod is gone from the API as soon as it has ended, mostly before its exit code can be read",
    },
    Gap {
        case: "a service goes where its volume is",
        on: &[KUBERNETES],
        reason: "a volume lives on one machine, and its service is not pinned to it: say so with a constraint on `host`",
    },
    Gap {
        case: "a service waits for the machine that has its volume and says so",
        on: &[KUBERNETES],
        reason: "services are not held where their volumes are; and a cordoned node keeps the copies that it has",
    },
    Gap {
        case: "letters of two bytes are whole wherever a line is cut",
        on: &[SWARM],
        reason: "the engine's log driver `json-file` replaces the halves of a letter before anybody can read them",
    },
    Gap {
        case: "a connection ends when the caller has nothing more to say",
        on: &[KUBERNETES],
        reason: "Kubernetes' port-forward has no end of one direction alone, so the service does not hear of it",
    },
    Gap {
        case: "standard error is told from standard output",
        on: &[KUBERNETES],
        reason: "the kubelet gives both as one stream; to ask for one of them is an alpha feature of Kubernetes",
    },
    Gap {
        case: "a machine that is lost is made anew",
        on: &[HOSTS],
        reason: "a host that is silent may come back with what it has, so it is named and waited for, and no other is claimed",
    },
];

/// Why a case does not hold there, if that is known.
pub fn reason(case: &str, orchestrator: Orchestrator, infrastructure: Infrastructure) -> Option<&'static str> {
    let here = [Column::Orchestrator(orchestrator), Column::Infrastructure(infrastructure)];
    let is_here = |gap: &&Gap| gap.on.iter().any(|column| here.contains(column));
    GAPS.iter().filter(|gap| gap.case == case).find(is_here).map(|gap| gap.reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases;

    #[test]
    fn every_gap_is_a_case() {
        let all = cases::all();
        for gap in GAPS {
            assert!(all.iter().any(|case| case.name == gap.case), "no case `{}`", gap.case);
        }
    }
}
