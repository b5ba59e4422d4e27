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
