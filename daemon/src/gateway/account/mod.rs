//! Operations on accounts.

pub mod add;
pub mod check;
pub mod list;
pub mod remove;

use muster_engine::state::ClusterState;
use muster_protocol::model::account::AccountInfo;
use muster_protocol::model::event::EventKind;
use muster_protocol::{ClusterId, Error, Name};
use muster_store::Batch;

use super::note::change_of_list;
use super::roles::Caller;
use crate::app::App;
use crate::gateway::refusals::store_error;
use crate::journal::records::StoredAccount;

/// The names of the clusters that use an account.
fn users_of(app: &App, account: &Name) -> Vec<Name> {
    users(app, account, |state| state.desired().spec.name.clone())
}

/// Their ids.
fn ids_of_users(app: &App, account: &Name) -> Vec<ClusterId> {
    users(app, account, ClusterState::id)
}

fn users<T>(app: &App, account: &Name, what: impl Fn(&ClusterState) -> T) -> Vec<T> {
    let clusters = app.provisioner.shared.board.all();
    let states = clusters.iter().map(|pinned| &pinned.state);
    let users = states.filter(|state| state.desired().spec.account.as_ref() == Some(account));
    users.map(|state| what(state)).collect()
}

/// The account as it is stored, with the number of its users as it is now.
async fn stored(app: &App, account: &Name) -> Result<Option<AccountInfo>, Error> {
    let stored = app.store.get::<StoredAccount>(account.as_str().as_bytes()).await.map_err(store_error)?;
    Ok(stored.map(|StoredAccount(info)| with_users(app, info)))
}

fn with_users(app: &App, mut info: AccountInfo) -> AccountInfo {
    info.clusters = u32::try_from(users_of(app, &info.name).len()).unwrap_or(u32::MAX);
    info
}

/// Writes a change of an account, with the event that tells of it.
async fn write(app: &App, batch: Batch, caller: &Caller, message: String) -> Result<(), Error> {
    change_of_list(app, batch, caller, EventKind::Account, message, "muster account list").await
}
