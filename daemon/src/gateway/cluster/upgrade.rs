//! upgradeOrchestrator: brings the machines of a cluster to another version, or to the recipe of this release.

use muster_protocol::model::cluster::ClusterSpec;
use muster_protocol::{Error, Name, Response};

use crate::app::App;
use crate::cluster::intent::Wish;
use crate::gateway::ask;
use crate::gateway::idempotency::Keyed;
use crate::gateway::roles::Caller;

/// Upgrades the cluster.
pub async fn upgrade(
    app: &App,
    caller: &Caller,
    keyed: Option<Keyed>,
    cluster: &Name,
    version: Option<String>,
) -> Result<Response, Error> {
    check(app, cluster, version.as_ref()).await?;
    ask::for_change(app, caller, keyed, cluster, Wish::Upgrade { version }).await
}

/// Refuses a version that the orchestrator cannot have, or that cannot be had.
pub(super) async fn check(app: &App, cluster: &Name, version: Option<&String>) -> Result<(), Error> {
    let shared = &app.provisioner.shared;
    let present = shared.board.cluster(cluster)?.state.desired().spec.clone();
    let Some(version) = version.cloned() else { return app.provisioner.validate(&present) };
    app.provisioner.validate_with_places(&ClusterSpec { version: Some(version), ..present }).await
}
