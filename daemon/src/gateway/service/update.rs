//! updateOrchestratorService: another version of a service.

use muster_protocol::model::service::ServiceSpec;
use muster_protocol::{Error, Name, Response};

use crate::cluster::intent::Wish;
use crate::gateway::ask;
use crate::gateway::context::Context;
use crate::gateway::idempotency::Keyed;
use crate::gateway::roles::Caller;

/// Replaces what is asked for of a service, if it is of the expected generation or none is expected.
pub async fn update(
    context: &Context,
    caller: &Caller,
    keyed: Option<Keyed>,
    cluster: &Name,
    spec: Box<ServiceSpec>,
    expected_generation: Option<u64>,
) -> Result<Response, Error> {
    ask::for_change(context, caller, keyed, cluster, Wish::UpdateService { spec, expected_generation }).await
}
