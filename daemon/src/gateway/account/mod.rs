//! Operations on accounts.

pub mod add;
pub mod check;
pub mod list;
pub mod remove;

use muster_protocol::model::account::AccountInfo;
use muster_protocol::model::event::EventKind;
use muster_protocol::{Error, Name};
use muster_store::Batch;

use super::context::{Context, store_error};
use crate::journal::records::{StoredAccount, StoredEvent};

/// The names of the clusters that use an account.
fn users_of(context: &Context, account: &Name) -> Vec<Name> {
    let clusters = context.provisioner.shared.board.all();
    let specs = clusters.iter().map(|pinned| &pinned.state.desired().spec);
    specs.filter(|spec| spec.account.as_ref() == Some(account)).map(|spec| spec.name.clone()).collect()
}

/// The account as it is stored, with the number of its users as it is now.
async fn stored(context: &Context, account: &Name) -> Result<Option<AccountInfo>, Error> {
    let stored = context.store.get::<StoredAccount>(account.as_str().as_bytes()).await.map_err(store_error)?;
    Ok(stored.map(|StoredAccount(info)| with_users(context, info)))
}

fn with_users(context: &Context, mut info: AccountInfo) -> AccountInfo {
    info.clusters = u32::try_from(users_of(context, &info.name).len()).unwrap_or(u32::MAX);
    info
}

/// Writes a change of an account, with the event that tells of it.
async fn write(context: &Context, mut batch: Batch, message: String) -> Result<(), Error> {
    let event = StoredEvent {
        at: context.now(),
        kind: EventKind::Account,
        cluster: None,
        operation: None,
        service: None,
        message,
        cause: None,
    };
    batch.append_event(&event).map_err(store_error)?;
    context.provisioner.shared.journal.write(batch).await.map_err(store_error)?;
    Ok(())
}
