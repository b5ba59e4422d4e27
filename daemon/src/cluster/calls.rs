//! Outside calls under way: spawned, bounded in time, cancellable, and each reported exactly once.

use std::collections::HashMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use muster_engine::action::{Action, Outcome};
use muster_engine::failure::Failure;
use muster_protocol::ErrorCode;
use ractor::ActorRef;
use tokio_util::sync::CancellationToken;

use super::message::SupervisorMessage;

/// The calls of one actor that have not been reported yet.
pub struct Calls {
    supervisor: ActorRef<SupervisorMessage>,
    under_way: HashMap<Action, CancellationToken>,
}

impl Calls {
    /// No calls yet; results go to this supervisor.
    pub fn new(supervisor: ActorRef<SupervisorMessage>) -> Self {
        Self { supervisor, under_way: HashMap::new() }
    }

    /// Starts a call. Whatever becomes of it (an answer, the end of its time, a cancellation, a panic),
    /// the supervisor hears of it once.
    pub fn start<F>(&mut self, action: Action, limit: Duration, call: F)
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        self.under_way.retain(|_, token| !token.is_cancelled());
        let token = CancellationToken::new();
        self.under_way.insert(action.clone(), token.clone());
        let supervisor = self.supervisor.clone();
        tokio::spawn(async move {
            // A task of its own, so that a panic in it is an outcome and not a silence.
            let mut task = tokio::spawn(call);
            let outcome = tokio::select! {
                joined = &mut task => joined.unwrap_or_else(|_| failed("the call broke off by a mistake in Muster", ErrorCode::Internal)),
                () = tokio::time::sleep(limit) => {
                    failed(&format!("no end after {} s", limit.as_secs()), ErrorCode::DeadlineExceeded)
                }
                () = token.cancelled() => failed("the call was broken off, for it is not wanted any more", ErrorCode::Cancelled),
            };
            task.abort();
            // The end of the call marks it as reported.
            token.cancel();
            // Without a supervisor there is nobody to tell: it reads the ledger when it starts again.
            let _ = supervisor.cast(SupervisorMessage::Finished(action, outcome));
        });
    }

    /// Breaks a call off.
    pub fn cancel(&mut self, action: &Action) {
        if let Some(token) = self.under_way.remove(action) {
            token.cancel();
        }
    }
}

/// Makes a look so that a panic in it is an answer and not a silence.
pub async fn guarded<T>(look: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    // Nothing of the look is used after a panic.
    let looked = AssertUnwindSafe(look).catch_unwind().await;
    let mistake = || Failure::not_applied(ErrorCode::Internal, "the look broke off by a mistake in Muster");
    looked.unwrap_or_else(|_| Err(mistake()))
}

/// The actor that started these calls is gone: so are they. The next supervisor finds in the ledger what they may have done.
impl Drop for Calls {
    fn drop(&mut self) {
        for token in self.under_way.values() {
            token.cancel();
        }
    }
}

fn failed(message: &str, code: ErrorCode) -> Outcome {
    Outcome::Failed(Failure::maybe_applied(code, message))
}
