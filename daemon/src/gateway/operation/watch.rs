//! watchOperation: an operation now and at each change until it ends.

use futures::{StreamExt, stream};
use muster_protocol::{Error, OperationId, StreamItem};

use super::found;
use crate::app::App;
use crate::gateway::reply::Items;
use crate::gateway::roles::Caller;

/// The states of an operation; those that were overtaken while the caller was slow are left out.
pub fn watch(app: &App, caller: &Caller, id: OperationId) -> Result<Items, Error> {
    found(app, caller, id)?;
    let mut receiver = app.provisioner.shared.board.watch(id)?;
    receiver.mark_changed();
    let states = stream::unfold(Some(receiver), |receiver| async {
        let mut receiver = receiver?;
        // The sender is dropped when the operation has ended: what it said last was seen then.
        receiver.changed().await.ok()?;
        let info = receiver.borrow_and_update().clone();
        let rest = (!info.phase.is_ended()).then_some(receiver);
        Some((Ok(StreamItem::Operation(info)), rest))
    });
    Ok(states.boxed())
}
