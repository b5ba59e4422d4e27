//! What handlers' sessions keep.

use muster_engine::session::KeptEntry;
use muster_protocol::ClusterId;

use super::{Form, form, lies_as_it_is};
use crate::journal::records::StoredKept;

lies_as_it_is!(KeptEntry);

form!(KeptForm of StoredKept {
    cluster: ClusterId,
    key: String,
    entry: KeptEntry,
});
