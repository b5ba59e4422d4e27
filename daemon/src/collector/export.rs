//! Exporting the store: a verified plain file, the last resort should the database be damaged.

use tracing::{error, info};

use crate::app::App;

/// Writes one export, and says how it went.
pub async fn export(app: &App) {
    let result = match app.store.export().await {
        Ok(summary) => {
            info!(file = %summary.path.display(), records = summary.records, bytes = summary.bytes, "the store is exported");
            "done"
        }
        Err(cause) => {
            error!(%cause, "the store could not be exported; is the disk full?");
            "failed"
        }
    };
    metrics::counter!("muster_exports_total", "result" => result).increment(1);
}
