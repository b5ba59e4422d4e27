//! Accounts.

use std::collections::BTreeMap;

use muster_protocol::model::account::AccountInfo;
use muster_protocol::model::cluster::Infrastructure;
use muster_protocol::{Name, Timestamp};

use super::form;

form!(AccountForm of AccountInfo {
    name: Name,
    infrastructure: Infrastructure,
    endpoint: Option<String>,
    credentials: Vec<String>,
    defaults: BTreeMap<String, String>,
    clusters: u32,
    created_at: Timestamp,
});
