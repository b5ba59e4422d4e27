//! retryOrchestrator: tries again now whatever failed and waits.

use muster_protocol::{Error, Name, Response};

use crate::app::App;
use crate::cluster::intent::Wish;
use crate::gateway::ask;
use crate::gateway::idempotency::Keyed;
use crate::gateway::roles::Caller;

/// Tries again what failed.
pub async fn retry(app: &App, caller: &Caller, keyed: Option<Keyed>, cluster: &Name) -> Result<Response, Error> {
    ask::for_change(app, caller, keyed, cluster, Wish::Retry).await
}
