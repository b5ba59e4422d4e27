//! scaleOrchestrator: other numbers of machines.

use muster_protocol::{Error, Name, Response};

use crate::app::App;
use crate::cluster::intent::Wish;
use crate::gateway::ask;
use crate::gateway::idempotency::Keyed;
use crate::gateway::roles::Caller;

/// Changes the numbers of a cluster's machines.
pub async fn scale(
    app: &App,
    caller: &Caller,
    keyed: Option<Keyed>,
    cluster: &Name,
    control_planes: Option<u32>,
    workers: Option<u32>,
) -> Result<Response, Error> {
    if control_planes.is_none() && workers.is_none() {
        return Err(Error::invalid("workers", "nothing is to be changed")
            .with_remedy("say how many control planes or workers there should be"));
    }
    ask::for_change(app, caller, keyed, cluster, Wish::Scale { control_planes, workers }).await
}
