//! createOrchestrator: from here on nothing can be lost. The cluster, its keys and certificates, its operation and the answer to the
//! caller's idempotency key are one batch; when that is on disk, a supervisor starts and the caller is answered.

use std::sync::Arc;

use muster_engine::state::ClusterState;
use muster_engine::validate;
use muster_protocol::model::cluster::ClusterSpec;
use muster_protocol::{ClusterId, Error, ErrorCode, Response};
use muster_store::{Batch, BatchError};
use tracing::error;

use crate::app::App;
use crate::fleet::FleetMessage;
use crate::gateway::idempotency::{self, Beginning, Keyed};
use crate::gateway::refusals::{commit_error, store_error};
use crate::gateway::roles::Caller;
use crate::journal::change;
use crate::journal::records::PendingAnswer;

/// Creates a cluster.
pub async fn create(app: &App, caller: &Caller, keyed: Option<Keyed>, spec: ClusterSpec) -> Result<Response, Error> {
    let new = match idempotency::begin(app, caller, keyed).await? {
        Beginning::Known(operation) => return Ok(Response::Operation(*operation)),
        Beginning::New(new) => new,
    };
    validate::cluster(&spec)?;
    app.policy.check_cluster(caller, &spec)?;
    let shared = &app.provisioner.shared;
    let _name = shared.board.reserve(&spec.name)?;
    // An infrastructure may take its time to answer: nobody who changes an account waits for that. If the account goes
    // meanwhile, it is missed below.
    app.provisioner.preflight(&spec).await?;
    let _accounts = app.accounts.read().await;

    let asked = app.asked(caller);
    let (id, now) = (asked.operation, asked.at);
    let mut state = new_state(app, spec, asked).await?;
    let plan = state.settle(now);
    let Some(operation) = state.operations.get(&id).map(|operation| operation.info.clone()) else {
        return Err(Error::new(ErrorCode::Internal, "a new cluster has no operation"));
    };
    let mut batch = batch(app, &state, new.answer.clone(), operation.id).await?;
    if let Some(note) = &caller.audit {
        note.put(&mut batch, Some(operation.id)).map_err(store_error)?;
    }
    shared.journal.write(batch).await.map_err(commit_error)?;
    // What was announced with the write is not announced by the supervisor again.
    state.outbox.clear();

    let state = Arc::new(state);
    shared.board.publish(state.clone(), Some(Arc::new(plan)));
    if let Err(gone) = app.fleet.cast(FleetMessage::Start(state)) {
        // The daemon is stopping. The cluster is on disk, and the next start goes on with it.
        error!(cluster = %operation.cluster, cause = %gone, "a new cluster has no supervisor yet");
    }
    Ok(Response::Operation(operation))
}

/// The state of a cluster that is asked for, before anything was done for it.
pub(super) async fn new_state(
    app: &App,
    spec: ClusterSpec,
    asked: muster_engine::state::Requested,
) -> Result<ClusterState, Error> {
    let provisioner = &app.provisioner;
    let driver = provisioner.driver(spec.infrastructure, spec.account.as_ref()).await?;
    let deadlines = provisioner.deadlines_with(driver.as_ref());
    let blueprint = provisioner.blueprint(&spec, driver)?;
    Ok(ClusterState::create(ClusterId::generate(), spec, blueprint, deadlines, asked))
}

async fn batch(
    app: &App,
    state: &ClusterState,
    answer: Option<PendingAnswer>,
    operation: muster_protocol::OperationId,
) -> Result<Batch, Error> {
    // Keys are made here, which is too much work for a thread that others wait for.
    let (provisioner, spec) = (app.provisioner.clone(), state.desired().spec.clone());
    let made = tokio::task::spawn_blocking(move || provisioner.material(&spec)).await;
    let material = made.map_err(|lost| Error::new(ErrorCode::Internal, format!("no keys were made: {lost}")))??;
    let mut batch = Batch::new();
    let fill = |batch: &mut Batch| -> Result<(), BatchError> {
        change::write_new(batch, state)?;
        app.provisioner.shared.vault.put_material(batch, state.id(), &material)?;
        if let Some(answer) = answer {
            batch.put(&answer.with(operation))?;
        }
        Ok(())
    };
    fill(&mut batch).map_err(store_error)?;
    Ok(batch)
}
