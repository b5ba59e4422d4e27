//! scaleOrchestratorService: another number of copies.

use muster_protocol::{Error, Name, Response};

use crate::cluster::intent::Wish;
use crate::gateway::ask;
use crate::gateway::context::Context;
use crate::gateway::idempotency::Keyed;
use crate::gateway::roles::Caller;

/// Changes the number of a service's copies.
pub async fn scale(
    context: &Context,
    caller: &Caller,
    keyed: Option<Keyed>,
    cluster: &Name,
    service: Name,
    replicas: u32,
) -> Result<Response, Error> {
    ask::for_change(context, caller, keyed, cluster, Wish::ScaleService(service, replicas)).await
}
