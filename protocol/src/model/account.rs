//! Accounts: named infrastructure endpoints with their credentials and defaults.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::cluster::Infrastructure;
use crate::{Cause, Name, SecretString, Timestamp};

/// What a user gives. Credentials are sealed in the store and never shown again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccountSpec {
    /// Unique among accounts.
    pub name: Name,
    /// The kind of infrastructure.
    pub infrastructure: Infrastructure,
    /// Where it answers, if not at its usual place. For `local`: the Docker Engine's socket.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Credentials by their name at this infrastructure.
    #[serde(default)]
    pub credentials: BTreeMap<String, SecretString>,
    /// Defaults for the clusters that use it, by name, for example `image`.
    #[serde(default)]
    pub defaults: BTreeMap<String, String>,
}

/// What is shown of an account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AccountInfo {
    /// Its name.
    pub name: Name,
    /// The kind of infrastructure.
    pub infrastructure: Infrastructure,
    /// Where it answers, if not at its usual place.
    pub endpoint: Option<String>,
    /// The names of its credentials; never their values.
    pub credentials: Vec<String>,
    /// Defaults for the clusters that use it.
    pub defaults: BTreeMap<String, String>,
    /// How many clusters use it.
    pub clusters: u32,
    /// When it was added.
    pub created_at: Timestamp,
}

/// The result of asking the infrastructure with an account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AccountCheck {
    /// The account, or none for an infrastructure's default.
    pub account: Option<Name>,
    /// The infrastructure.
    pub infrastructure: Infrastructure,
    /// Each thing that was looked at.
    pub findings: Vec<Finding>,
}

/// One thing that was looked at, by an account check or by `doctor`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// What was looked at.
    pub subject: String,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was found, in words.
    pub message: String,
    /// The cause and remedy, if it is not as it should be.
    pub cause: Option<Cause>,
}
