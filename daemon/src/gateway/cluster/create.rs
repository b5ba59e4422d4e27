//! createOrchestrator: from here on nothing can be lost. The cluster, its keys and certificates, its operation and the answer to the
//! caller's idempotency key are one batch; when that is on disk, a supervisor starts and the caller is answered.

use std::sync::Arc;

use muster_engine::state::ClusterState;
use muster_engine::validate;
use muster_protocol::model::cluster::ClusterSpec;
use muster_protocol::{ClusterId, Error, ErrorCode, Response};
use muster_store::{Batch, BatchError};
use tracing::error;

use crate::fleet::FleetMessage;
use crate::gateway::context::{Context, commit_error, store_error};
use crate::gateway::idempotency::{self, Beginning, Keyed};
use crate::gateway::roles::Caller;
use crate::journal::change;
use crate::journal::records::PendingAnswer;

/// Creates a cluster.
pub async fn create(
    context: &Context,
    caller: &Caller,
    keyed: Option<Keyed>,
    spec: ClusterSpec,
) -> Result<Response, Error> {
    let new = match idempotency::begin(context, caller, keyed).await? {
        Beginning::Known(operation) => return Ok(Response::Operation(*operation)),
        Beginning::New(new) => new,
    };
    validate::cluster(&spec)?;
    let shared = &context.provisioner.shared;
    let _name = shared.board.reserve(&spec.name)?;
    let _accounts = context.accounts.read().await;
    context.provisioner.preflight(&spec).await?;

    let asked = context.asked(caller);
    let mut state = new_state(context, spec, asked).await?;
    let plan = state.settle(asked.at);
    let Some(operation) = state.operations.get(&asked.operation).map(|operation| operation.info.clone()) else {
        return Err(Error::new(ErrorCode::Internal, "a new cluster has no operation"));
    };
    let batch = batch(context, &state, new.answer.clone(), operation.id).await?;
    shared.journal.write(batch).await.map_err(commit_error)?;
    // What was announced with the write is not announced by the supervisor again.
    state.outbox.clear();

    let state = Arc::new(state);
    shared.board.publish(state.clone(), Some(Arc::new(plan)));
    if let Err(gone) = context.fleet.cast(FleetMessage::Start(state)) {
        // The daemon is stopping. The cluster is on disk, and the next start goes on with it.
        error!(cluster = %operation.cluster, cause = %gone, "a new cluster has no supervisor yet");
    }
    Ok(Response::Operation(operation))
}

/// The state of a cluster that is asked for, before anything was done for it.
pub(super) async fn new_state(
    context: &Context,
    spec: ClusterSpec,
    asked: muster_engine::state::Asked,
) -> Result<ClusterState, Error> {
    let provisioner = &context.provisioner;
    let driver = provisioner.driver(spec.infrastructure, spec.account.as_ref()).await?;
    let (recipe, deadlines) = (provisioner.recipe(&spec)?, provisioner.deadlines_with(driver.as_ref()));
    Ok(ClusterState::create(ClusterId::generate(), spec, recipe, deadlines, asked))
}

async fn batch(
    context: &Context,
    state: &ClusterState,
    answer: Option<PendingAnswer>,
    operation: muster_protocol::OperationId,
) -> Result<Batch, Error> {
    // Keys are made here, which is too much work for a thread that others wait for.
    let (provisioner, spec) = (context.provisioner.clone(), state.desired().spec.clone());
    let made = tokio::task::spawn_blocking(move || provisioner.material(&spec)).await;
    let material = made.map_err(|lost| Error::new(ErrorCode::Internal, format!("no keys were made: {lost}")))??;
    let mut batch = Batch::new();
    let fill = |batch: &mut Batch| -> Result<(), BatchError> {
        change::write_new(batch, state)?;
        context.provisioner.shared.vault.put_material(batch, state.id(), &material)?;
        if let Some(answer) = answer {
            batch.put(&answer.with(operation))?;
        }
        Ok(())
    };
    fill(&mut batch).map_err(store_error)?;
    Ok(batch)
}
