//! Orders for files with which people's own tools reach a cluster.

use std::time::Duration;

use muster_protocol::model::access::AccessKind;
use muster_protocol::model::token::AccessRole;
use muster_protocol::{ErrorCode, Principal};

use crate::failure::Failure;

/// For whom a file is to be made, and what it is to allow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccessOrder {
    /// Who asks. The orchestrator's own records name its holder so.
    pub who: Principal,
    /// Which tool it is for; the orchestrator's own, if none.
    pub kind: Option<AccessKind>,
    /// What it allows; never more than its asker may do.
    pub role: AccessRole,
    /// How long it holds; less, if the cluster's authority ends before.
    pub lifetime: Duration,
    /// The cluster's renewal of certificates: the next one ends what was given out before it.
    pub renewal: u64,
}

impl AccessOrder {
    /// Refuses a file for a tool that this orchestrator has nothing to do with.
    pub fn expect_kind(&self, offered: AccessKind) -> Result<(), Failure> {
        match self.kind {
            Some(other) if other != offered => {
                let message = format!("this orchestrator does not support `{other}`");
                let remedy = format!("ask for a `{offered}`: `muster cluster {offered} NAME`");
                Err(Failure::not_applied(ErrorCode::Unsupported, message).permanent().with_remedy(remedy))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The name under which the orchestrator knows the holder.
    pub fn holder(&self) -> String {
        format!("muster:{}", self.who)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_for_another_orchestrators_tool_is_refused_with_the_one_that_there_is() {
        let order = |kind| AccessOrder {
            who: Principal::user("anna"),
            kind,
            role: AccessRole::Operator,
            lifetime: Duration::from_secs(60),
            renewal: 0,
        };
        assert!(order(None).expect_kind(AccessKind::Kubeconfig).is_ok());
        assert!(order(Some(AccessKind::Kubeconfig)).expect_kind(AccessKind::Kubeconfig).is_ok());
        let refusal = order(Some(AccessKind::DockerContext)).expect_kind(AccessKind::Kubeconfig).unwrap_err();
        assert_eq!((refusal.code, refusal.message.contains("docker-context")), (ErrorCode::Unsupported, true));
        assert!(refusal.remedy.unwrap().contains("muster cluster kubeconfig NAME"));
    }
}
