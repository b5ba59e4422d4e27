//! Tokens: what remote callers show to the HTTP bridge. The bridge has the daemon say what a token grants, and the daemon
//! holds every request for its holder against it, so that one which is revoked or has ended is refused at once.

pub mod book;
pub mod create;
pub mod list;
pub mod resolve;
pub mod revoke;

use muster_protocol::Error;
use muster_protocol::model::event::EventKind;
use muster_store::Batch;

use super::note::change_of_list;
use super::roles::Caller;
use crate::app::App;

/// Writes a change of the list, with the event and the audit record that tell of it.
async fn write(app: &App, batch: Batch, caller: &Caller, message: String) -> Result<(), Error> {
    change_of_list(app, batch, caller, EventKind::Token, message, "muster token list").await
}
