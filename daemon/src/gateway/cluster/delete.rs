//! deleteOrchestrator: removes a cluster with all it has.

use muster_protocol::{Error, Name, Response};

use crate::app::App;
use crate::cluster::intent::Wish;
use crate::gateway::ask;
use crate::gateway::idempotency::Keyed;
use crate::gateway::roles::Caller;

/// Deletes a cluster.
pub async fn delete(app: &App, caller: &Caller, keyed: Option<Keyed>, cluster: &Name) -> Result<Response, Error> {
    ask::for_change(app, caller, keyed, cluster, Wish::Delete).await
}
