//! planOrchestrator: what would be done for a change. The change is made on a copy that is thrown away.

use muster_engine::state::ClusterState;
use muster_engine::{validate, view};
use muster_protocol::model::cluster::ClusterSpec;
use muster_protocol::model::plan::PlanChange;
use muster_protocol::{Error, Name, Response};

use super::create::new_state;
use crate::gateway::context::Context;
use crate::gateway::roles::Caller;

/// The plan of a change. Changes nothing.
pub async fn plan(context: &Context, caller: &Caller, change: PlanChange) -> Result<Response, Error> {
    let asked = context.asked(caller);
    let mut state = match change {
        PlanChange::Create(spec) => of_new(context, caller, spec).await?,
        PlanChange::Scale { cluster, control_planes, workers } => {
            let mut state = copy(context, &cluster)?;
            state.admit_scale(control_planes, workers, asked)?;
            state
        }
        PlanChange::Delete { cluster } => {
            let mut state = copy(context, &cluster)?;
            state.admit_delete(asked)?;
            state
        }
        PlanChange::Current { cluster } => copy(context, &cluster)?,
    };
    let plan = state.settle(asked.at);
    Ok(Response::Plan(view::plan_view(&state, &plan)))
}

fn copy(context: &Context, cluster: &Name) -> Result<ClusterState, Error> {
    Ok((*context.provisioner.shared.board.cluster(cluster)?.state).clone())
}

/// What a create would refuse is refused here too.
async fn of_new(context: &Context, caller: &Caller, spec: ClusterSpec) -> Result<ClusterState, Error> {
    validate::cluster(&spec)?;
    drop(context.provisioner.shared.board.reserve(&spec.name)?);
    context.provisioner.preflight(&spec).await?;
    new_state(context, spec, context.asked(caller)).await
}
