//! scaleOrchestratorService: another number of copies.

use muster_protocol::{Error, Name, Response};

use crate::app::App;
use crate::cluster::intent::Wish;
use crate::gateway::ask;
use crate::gateway::idempotency::Keyed;
use crate::gateway::roles::Caller;

/// Changes the number of a service's copies.
pub async fn scale(
    app: &App,
    caller: &Caller,
    keyed: Option<Keyed>,
    cluster: &Name,
    service: Name,
    replicas: u32,
) -> Result<Response, Error> {
    ask::for_change(app, caller, keyed, cluster, Wish::ScaleService(service, replicas)).await
}
