//! planOrchestrator: what would be done for a change. The change is made on a copy that is thrown away.

use muster_engine::state::ClusterState;
use muster_engine::{validate, view};
use muster_protocol::model::cluster::ClusterSpec;
use muster_protocol::model::plan::PlanChange;
use muster_protocol::{Error, Name, Response};

use super::create::new_state;
use super::upgrade;
use crate::app::App;
use crate::gateway::ask;
use crate::gateway::roles::Caller;

/// The plan of a change. Changes nothing.
pub async fn plan(app: &App, caller: &Caller, change: PlanChange) -> Result<Response, Error> {
    let asked = app.asked(caller);
    let now = asked.at;
    let mut state = match change {
        PlanChange::Create(spec) => of_new(app, caller, spec).await?,
        PlanChange::Scale { cluster, control_planes, workers } => {
            let mut state = copy(app, &cluster)?;
            state.admit_scale(control_planes, workers, asked)?;
            state
        }
        PlanChange::Delete { cluster } => {
            let mut state = copy(app, &cluster)?;
            state.admit_delete(asked)?;
            state
        }
        PlanChange::Upgrade { cluster, version } => {
            upgrade::check(app, &cluster, version.as_ref()).await?;
            let mut state = copy(app, &cluster)?;
            state.admit_upgrade(version, asked)?;
            state
        }
        PlanChange::Renew { cluster } => {
            let mut state = copy(app, &cluster)?;
            state.admit_renew(asked)?;
            state
        }
        PlanChange::Current { cluster } => copy(app, &cluster)?,
    };
    let plan = state.settle(now);
    Ok(Response::Plan(view::plan_view(&state, &plan)))
}

fn copy(app: &App, cluster: &Name) -> Result<ClusterState, Error> {
    let pinned = app.provisioner.shared.board.cluster(cluster)?;
    ask::refuse_if_unmanaged(&pinned)?;
    Ok((*pinned.state).clone())
}

/// What a create would refuse is refused here too.
async fn of_new(app: &App, caller: &Caller, spec: ClusterSpec) -> Result<ClusterState, Error> {
    validate::cluster(&spec)?;
    app.policy.check_cluster(caller, &spec)?;
    drop(app.provisioner.shared.board.reserve(&spec.name)?);
    app.provisioner.preflight(&spec).await?;
    new_state(app, spec, app.asked(caller)).await
}
