//! The client of the story: remembers what it was promised, and asks again for what it had no answer to.

use std::sync::Mutex;
use std::sync::PoisonError;

use muster_protocol::{ErrorCode, OperationId, Request};

use super::process::Process;

/// Survives the crashes of the daemon, as a user does.
pub struct Client {
    acknowledged: Mutex<Vec<OperationId>>,
    /// How many refusals of one request it takes for a passing fault.
    forgives: u32,
}

impl Client {
    /// Has asked for nothing yet.
    pub fn new(forgives: u32) -> Self {
        Self { acknowledged: Mutex::default(), forgives }
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
                // Refused before anything was changed, by a fault that happens once: somebody mends it and asks again.
                Err(_) if refusals < self.forgives => refusals += 1,
                Err(error) => return Err(format!("{} was refused: {error}", request.operation_id())),
            }
        }
    }

    /// Every operation that was ever acknowledged.
    pub fn acknowledged(&self) -> Vec<OperationId> {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
