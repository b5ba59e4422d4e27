//! renewOrchestrator: gives the machines of a cluster new certificates, one after the other.

use muster_protocol::{Error, Name, Response};

use crate::app::App;
use crate::cluster::intent::Wish;
use crate::gateway::ask;
use crate::gateway::idempotency::Keyed;
use crate::gateway::roles::Caller;

/// Renews the certificates.
pub async fn renew(app: &App, caller: &Caller, keyed: Option<Keyed>, cluster: &Name) -> Result<Response, Error> {
    ask::for_change(app, caller, keyed, cluster, Wish::Renew).await
}
