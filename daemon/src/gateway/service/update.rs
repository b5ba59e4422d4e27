//! updateOrchestratorService: another version of a service.

use muster_protocol::model::service::ServiceSpec;
use muster_protocol::{Error, Name, Response};

use crate::app::App;
use crate::cluster::intent::Wish;
use crate::gateway::ask;
use crate::gateway::idempotency::Keyed;
use crate::gateway::roles::Caller;

/// Replaces what is asked for of a service, if it is of the expected generation or none is expected.
pub async fn update(
    app: &App,
    caller: &Caller,
    keyed: Option<Keyed>,
    cluster: &Name,
    spec: Box<ServiceSpec>,
    expected_generation: Option<u64>,
) -> Result<Response, Error> {
    let found = app.provisioner.shared.board.cluster(cluster)?;
    let present = found.state.services.get(&spec.name).map(|service| &service.version.spec);
    app.policy.check_service(caller, &spec, &[], present)?;
    ask::for_change(app, caller, keyed, cluster, Wish::UpdateService { spec, expected_generation }).await
}
