//! watchOperation: an operation now and at each change until it ends.

use futures::{StreamExt, stream};
use muster_protocol::{Error, OperationId, StreamItem};

use crate::gateway::context::Context;
use crate::gateway::dispatch::Items;

/// The states of an operation; those that were overtaken while the caller was slow are left out.
pub fn watch(context: &Context, id: OperationId) -> Result<Items, Error> {
    let mut receiver = context.provisioner.shared.board.watch(id)?;
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
