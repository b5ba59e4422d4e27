//! Looks at the machines and the orchestrator, often while something is awaited and seldom else.

use std::time::Duration;

use muster_engine::failure::Failure;
use muster_engine::ledger::ResourceKey;
use muster_engine::plan::Gate;
use muster_engine::state::Observation;
use muster_protocol::ErrorCode;
use tokio::time::{Instant, timeout};

use super::Bench;

const LOOK_WHEN_BUSY: Duration = Duration::from_secs(5);
const LOOK_WHEN_IDLE: Duration = Duration::from_secs(60);

impl Bench {
    pub(super) fn look(&mut self) {
        if Instant::now() < self.next_look {
            return;
        }
        let awaited = self.planned.steps.iter().any(|step| !step.action.is_call() && step.gate == Gate::Running);
        let trouble = self.state.observed.orchestrator_cause.is_some() || self.state.observed.machines_cause.is_some();
        self.next_look = Instant::now() + if awaited && !trouble { LOOK_WHEN_BUSY } else { LOOK_WHEN_IDLE };
        if !self.looks.is_empty() || self.state.desired().absent {
            return;
        }
        let began = self.now();
        let limit = self.state.deadlines.orchestrator_call;
        let no_answer = || Failure::not_applied(ErrorCode::Unreachable, "no answer");
        let machines = self.state.ledger.iter();
        let any = machines
            .into_iter()
            .any(|(key, entry)| matches!(key, ResourceKey::Machine(_)) && entry.present().is_some());
        if any {
            let (driver, context) = (self.driver.clone(), self.context.clone());
            self.looks.push(Box::pin(async move {
                let seen = timeout(limit, driver.observe(&context)).await.unwrap_or_else(|_| Err(no_answer()));
                (Observation { machines: Some(seen), orchestrator: None }, began)
            }));
        }
        let members = self.state.members();
        if members.iter().any(|member| member.node_id.is_some()) {
            let handler = self.handler.clone();
            self.looks.push(Box::pin(async move {
                let seen = timeout(limit, handler.observe(&members)).await.unwrap_or_else(|_| Err(no_answer()));
                (Observation { machines: None, orchestrator: Some(seen) }, began)
            }));
        }
    }
}
