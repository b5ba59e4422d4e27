//! verifyAuditTrail: whether each record is as it was written.

use muster_protocol::model::audit::{AuditBreak, AuditVerification};
use muster_protocol::{Error, Response};

use crate::app::App;
use crate::gateway::refusals::store_error;
use crate::journal::records::hexadecimal;

/// Follows the chain from the oldest record that is kept.
pub async fn verify(app: &App) -> Result<Response, Error> {
    let verdict = app.store.verify_audit().await.map_err(store_error)?;
    Ok(Response::AuditVerification(AuditVerification {
        intact: verdict.intact,
        pruned: verdict.anchor.number,
        last: verdict.head.number,
        hash: hexadecimal(&verdict.head.hash),
        broken: verdict.broken.map(|(number, message)| AuditBreak { number, message }),
    }))
}
