//! Makes the calls and looks, as the daemon's driver and handler actors do: each with its end in time, calls until they
//! are broken off.

use std::time::Duration;

use muster_engine::action::Outcome;
use muster_engine::cycle::Begun;
use muster_engine::failure::Failure;
use muster_engine::looks::Look;
use muster_engine::order::Order;
use muster_engine::state::Observation;
use muster_protocol::{ErrorCode, Timestamp};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::Bench;

impl Bench {
    pub(super) fn start(&mut self, Begun { action, order, limit }: Begun) {
        let (driver, preparer, handler) = (self.driver.clone(), self.preparer.clone(), self.handler.clone());
        let context = self.context.clone();
        let performed = async move {
            match order {
                Ok(Order::Driver(order)) => order.perform(&*driver, &context).await,
                Ok(Order::Preparer(order)) => order.perform(&*preparer, &context).await,
                Ok(Order::Handler(order)) => order.perform(&*handler).await,
                Err(failure) => {
                    assert_ne!(failure.code, ErrorCode::Internal, "the planner asks for what is no call: {failure}");
                    Outcome::Failed(failure)
                }
            }
        };
        let (cancel, cancelled) = oneshot::channel();
        self.cancels.insert(action.clone(), cancel);
        let latency = Duration::from_millis(1 + self.random.below(200));
        self.calls.push(Box::pin(async move {
            tokio::time::sleep(latency).await;
            let broken = |code| Outcome::Failed(Failure::maybe_applied(code, "broken off"));
            let outcome = tokio::select! {
                ended = timeout(limit, performed) => ended.unwrap_or_else(|_| broken(ErrorCode::DeadlineExceeded)),
                Ok(()) = cancelled => broken(ErrorCode::Cancelled),
            };
            (action, outcome)
        }));
    }

    pub(super) fn look(&mut self, look: Look, began: Timestamp) {
        let (driver, handler, context) = (self.driver.clone(), self.handler.clone(), self.context.clone());
        let limit = self.state.deadlines.orchestrator_call;
        self.seen.push(Box::pin(async move {
            let observation = match look {
                Look::Machines => {
                    let seen = timeout(limit, driver.observe(&context)).await;
                    Observation { infrastructure: Some(seen.unwrap_or_else(|_| Err(no_answer()))), orchestrator: None }
                }
                Look::Orchestrator(members) => {
                    let seen = timeout(limit, handler.observe(&members)).await;
                    Observation { infrastructure: None, orchestrator: Some(seen.unwrap_or_else(|_| Err(no_answer()))) }
                }
            };
            (observation, began)
        }));
    }
}

fn no_answer() -> Failure {
    Failure::not_applied(ErrorCode::Unreachable, "no answer")
}
