//! The client of the story: remembers what it was promised, and asks again for what it had no answer to.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use muster_protocol::model::account::AccountSpec;
use muster_protocol::{Error, ErrorCode, OperationId, Request, Response, Retry};

use super::process::Process;
use super::requests;

/// Survives the crashes of the daemon, as a user does.
pub struct Client {
    promises: Mutex<Promises>,
    forgives: Forgives,
    asked_again: AtomicBool,
}

/// What was acknowledged.
#[derive(Default)]
struct Promises {
    operations: Vec<OperationId>,
    account: AccountPromise,
}

/// What is known of the account.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum AccountPromise {
    /// Nothing: it was never asked for.
    #[default]
    Nothing,
    /// A change was asked for and not answered yet.
    InDoubt,
    /// It is there with this key, or it is not there.
    Is(Option<String>),
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

const BETWEEN_TRIES: Duration = Duration::from_millis(100);

impl Client {
    /// Has asked for nothing yet.
    pub fn new(forgives: Forgives) -> Self {
        Self { promises: Mutex::default(), forgives, asked_again: AtomicBool::default() }
    }

    /// Asks until there is an answer: with the operation that it is about, or with none if it is done already. The
    /// idempotency key makes it one change however often it is asked for; those that take no key are the same if they are
    /// asked for twice. An answer that is a refusal is returned.
    pub async fn ask(&self, process: &Process, request: &Request) -> Result<Option<OperationId>, String> {
        let mut refusals = 0;
        loop {
            let may_be_done = self.begins(request);
            match process.ask(request.clone()).await {
                Ok(response) => return Ok(self.promised(request, &response)),
                Err(error) if error.code == ErrorCode::Unavailable => {}
                Err(error) if may_be_done && is_removed(request, &error) => {
                    return Ok(self.promised(request, &Response::Done));
                }
                // As long as its cluster is there.
                Err(error) if matches!(request, Request::AccountRemove { .. }) && error.code == ErrorCode::Conflict => {
                }
                Err(error) if self.forgives.asks_past(&error, refusals) => {
                    refusals += 1;
                    self.asked_again.store(true, Ordering::SeqCst);
                    continue;
                }
                Err(error) => return Err(format!("{} was refused: {error}", request.operation_id())),
            }
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
    }

    /// Whether it ever asked past a refusal.
    pub fn has_asked_again(&self) -> bool {
        self.asked_again.load(Ordering::SeqCst)
    }

    /// Every operation that was ever acknowledged.
    pub fn acknowledged(&self) -> Vec<OperationId> {
        self.lock().operations.clone()
    }

    /// What was last acknowledged of the account.
    pub fn account(&self) -> AccountPromise {
        self.lock().account.clone()
    }

    /// Whether the change may be made already: it was asked for before, and not answered.
    fn begins(&self, request: &Request) -> bool {
        if !matches!(request, Request::AccountAdd { .. } | Request::AccountRemove { .. }) {
            return false;
        }
        let before = std::mem::replace(&mut self.lock().account, AccountPromise::InDoubt);
        before == AccountPromise::InDoubt
    }

    fn promised(&self, request: &Request, response: &Response) -> Option<OperationId> {
        let mut promises = self.lock();
        if let Response::Operation(operation) = response {
            if !promises.operations.contains(&operation.id) {
                promises.operations.push(operation.id);
            }
            return Some(operation.id);
        }
        let added = if let Request::AccountAdd { spec } = request { key_of(spec) } else { None };
        promises.account = AccountPromise::Is(added);
        None
    }

    fn lock(&self) -> MutexGuard<'_, Promises> {
        self.promises.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever asks again for a removal that was made finds nothing to remove.
fn is_removed(request: &Request, error: &Error) -> bool {
    matches!(request, Request::AccountRemove { .. }) && error.code == ErrorCode::NotFound
}

/// The key in an account.
pub fn key_of(spec: &AccountSpec) -> Option<String> {
    spec.credentials.get(requests::KEY).map(|key| key.expose().to_owned())
}
