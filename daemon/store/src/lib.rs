//! Muster's durable store on sled.
//!
//! This crate is plumbing: it keeps typed records, a numbered event log and sealed secrets, and knows nothing of
//! clusters. **Acknowledged means fsynced**, and a damaged store is repaired with every record intact or refused with a
//! remedy; it never opens empty or silently older.
//!
//! ```text
//! <dir>/lock            held while the store is open; names the process
//! <dir>/sled/           sled's own files
//! <dir>/building/       a new database, until it takes the place of the present one
//! <dir>/witness         the last committed generation, outside sled, so that an older database is recognised
//! <dir>/snapshot-copy/  our copy of sled's snapshot
//! <dir>/exports/        verified plain-file copies
//! <dir>/as-found/       a damaged database while its repair is tried
//! <dir>/damaged-*/      what was found before a repair touched it
//! <dir>/replaced-*/     what was there before a restore
//! ```
//!
//! sled 0.34.7 is usable if treated with suspicion. What was seen, and what answers it:
//!
//! - `flush` does not fsync, and never what lies in blobs: our own fsync, in `engine` and `blobs`
//! - its destructor waits for ever for a write that has failed: a database whose building failed is not dropped
//! - a cut file or an old copy is not noticed: envelopes, root record, witness, checked at every open
//! - a torn snapshot stops it, and without any snapshot an older log may replay as empty: our copy, in `repair`
//! - damage that a snapshot hides loses later commits: after every open the database is built anew, while reads already
//!   go on, and only the new one is written to: `renewal`

mod audit;
mod batch;
mod blobs;
mod chunk;
pub mod codec;
mod companion;
mod directory;
mod engine;
pub mod envelope;
mod error;
mod events;
mod export;
pub mod fixtures;
mod found;
mod group;
mod open;
mod options;
mod read;
mod renewal;
mod repair;
mod restore;
mod room;
mod root;
mod rotation;
mod secrets;
mod shared;
mod store;
mod table;
mod verify;
mod witness;
mod workshop;
mod writer;

pub use audit::{AuditHash, AuditHead, AuditVerdict, StoredLink};
pub use batch::Batch;
pub use chunk::StoredEvent;
pub use codec::{CodecError, Payload, Record};
pub use error::{BatchError, CommitError, ExportError, NotApplied, OpenError, ReadError, RestoreError};
pub use events::PruneError;
pub use export::{ExportSummary, verify_export};
pub use found::Found;
pub use options::{CommitStep, FaultHook, OpenOptions, OpenReport, Repair};
pub use restore::restore;
pub use rotation::{RotateError, Rotation, rotate};
pub use secrets::{KeyError, KeySource, SealError, Sealer};
pub use store::{Committed, Store};
pub use table::Table;
