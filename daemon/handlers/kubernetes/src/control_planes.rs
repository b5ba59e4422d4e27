//! Finding an API server that answers: any live control plane will do, and a dead one delays nobody for long.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use muster_engine::failure::Failure;
use muster_engine::member::Member;
use muster_protocol::ErrorCode;

use crate::access::{Candidate, Clients, Connector};
use crate::failures::Answer as _;

/// How long one server may take to show that it is ready.
const PROBE_TIMEOUT: Duration = Duration::from_secs(8);
/// How long the server asked before has for itself, before the next one is asked too.
const HEAD_START: Duration = Duration::from_millis(300);

/// Finds API servers, and remembers which one answered last.
pub(crate) struct ControlPlanes {
    connector: Arc<dyn Connector>,
    last: Mutex<Option<String>>,
}

impl ControlPlanes {
    pub(crate) fn new(connector: Arc<dyn Connector>) -> Self {
        Self { connector, last: Mutex::new(None) }
    }

    /// Clients of a server that says that it is ready. Asks the one that answered last first.
    pub(crate) async fn find(&self, members: &[Member]) -> Result<Arc<Clients>, Failure> {
        let last = self.last().clone();
        let mut candidates = self.connector.candidates(members);
        candidates.sort_by_key(|candidate| Some(&candidate.name) != last.as_ref());
        let mut probes = FuturesUnordered::new();
        for (place, candidate) in (0u32..).zip(candidates) {
            probes.push(async move {
                tokio::time::sleep(HEAD_START * place).await;
                let probe = self.probe(&candidate).await;
                (candidate, probe)
            });
        }
        let mut worst: Option<Failure> = None;
        while let Some((candidate, probe)) = probes.next().await {
            match probe {
                Ok(clients) => {
                    *self.last() = Some(candidate.name);
                    return Ok(clients);
                }
                Err(failure) => worst = Some(more_telling(worst, failure)),
            }
        }
        Err(worst.unwrap_or_else(|| {
            Failure::not_applied(ErrorCode::Unreachable, "no control-plane machine is there that could be asked")
        }))
    }

    /// A server is ready only if its etcd answers it, so an answer proves the quorum too.
    async fn probe(&self, candidate: &Candidate) -> Result<Arc<Clients>, Failure> {
        let what = format!("ask {} whether it is ready", candidate.name);
        let clients = self.connector.connect(candidate).await?;
        let request = http::Request::get("/readyz")
            .body(Vec::new())
            .map_err(|error| Failure::not_applied(ErrorCode::Internal, format!("{what}: {error}")).permanent())?;
        match tokio::time::timeout(PROBE_TIMEOUT, clients.requests.request_text(request)).await {
            Ok(answer) => answer.reading(&what)?,
            Err(_) => return Err(Failure::not_applied(ErrorCode::Unreachable, format!("{what}: no answer in time"))),
        };
        Ok(clients)
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        // The value is whole at any time, so a panic elsewhere does not spoil it.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Of several servers' failures, the one that says most about the cluster.
fn more_telling(one: Option<Failure>, other: Failure) -> Failure {
    let rank = |failure: &Failure| {
        if failure.code == ErrorCode::QuorumLost {
            3
        } else if failure.code == ErrorCode::Credentials || failure.code == ErrorCode::Internal {
            2
        } else if failure.code == ErrorCode::Unreachable {
            0
        } else {
            1
        }
    };
    match one {
        Some(one) if rank(&one) >= rank(&other) => one,
        Some(_) | None => other,
    }
}
