//! The client of the story: remembers what it was promised, and asks again for what it had no answer to.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use muster_protocol::{Error, ErrorCode, OperationId, Request, Retry};

use super::process::Process;

/// Survives the crashes of the daemon, as a user does.
pub struct Client {
    acknowledged: Mutex<Vec<OperationId>>,
    forgives: Forgives,
    asked_again: AtomicBool,
}

/// Which refusals of one request it asks past. Nothing was changed by a request that is refused.
#[derive(Clone, Copy, Debug)]
pub enum Forgives {
    /// None.
    Nothing,
    /// One that says itself that asking later may help, as any program would.
    OnceIfLater,
    /// So many, whatever they say: somebody has mended their reason.
    Times(u32),
}

impl Forgives {
    fn asks_past(self, error: &Error, refusals: u32) -> bool {
        match self {
            Self::Nothing => false,
            Self::OnceIfLater => refusals == 0 && error.retry == Retry::Later,
            Self::Times(times) => refusals < times,
        }
    }
}

impl Client {
    /// Has asked for nothing yet.
    pub fn new(forgives: Forgives) -> Self {
        Self { acknowledged: Mutex::default(), forgives, asked_again: AtomicBool::default() }
    }

    /// Asks until there is an answer; the idempotency key makes it one change however often it is asked for.
    /// An answer that is a refusal is returned.
    pub async fn ask(&self, process: &Process, request: &Request) -> Result<OperationId, String> {
        let mut refusals = 0;
        loop {
            match process.ask(request.clone()).await {
                Ok(operation) => {
                    let mut acknowledged = self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
                    if !acknowledged.contains(&operation.id) {
                        acknowledged.push(operation.id);
                    }
                    return Ok(operation.id);
                }
                Err(error) if error.code == ErrorCode::Unavailable => {
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
                Err(error) if self.forgives.asks_past(&error, refusals) => {
                    refusals += 1;
                    self.asked_again.store(true, Ordering::SeqCst);
                }
                Err(error) => return Err(format!("{} was refused: {error}", request.operation_id())),
            }
        }
    }

    /// Whether it ever asked past a refusal.
    pub fn has_asked_again(&self) -> bool {
        self.asked_again.load(Ordering::SeqCst)
    }

    /// Every operation that was ever acknowledged.
    pub fn acknowledged(&self) -> Vec<OperationId> {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
