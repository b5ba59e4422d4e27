//! refreshOrchestratorService: the same again, with what the image's tag means by now.

use muster_protocol::{Error, Name, Response};

use crate::app::App;
use crate::cluster::intent::Wish;
use crate::gateway::ask;
use crate::gateway::idempotency::Keyed;
use crate::gateway::roles::Caller;

/// Submits a service once more, so that its image's tag is resolved anew.
pub async fn refresh(
    app: &App,
    caller: &Caller,
    keyed: Option<Keyed>,
    cluster: &Name,
    service: Name,
) -> Result<Response, Error> {
    ask::for_change(app, caller, keyed, cluster, Wish::RefreshService(service)).await
}
