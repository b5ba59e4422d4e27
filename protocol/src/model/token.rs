//! Tokens: what a remote caller shows to the HTTP bridge.

use serde::{Deserialize, Serialize};

use crate::growing::growing_words;
use crate::request::RequiredRole;
use crate::subject::Reach;
use crate::{Name, Principal, Request, SecretString, Timestamp};

growing_words! {
    /// What a caller may do; each role may do what the ones before it may.
    pub enum AccessRole {
        /// Look.
        Viewer = 0 => "viewer",
        /// Create, change and remove clusters and services.
        Operator = 1 => "operator",
        /// Handle credentials and tokens, and look at the audit trail.
        Admin = 2 => "admin",
    }
}

impl AccessRole {
    /// Whether it suffices for a request that needs this.
    pub const fn allows(self, needed: RequiredRole) -> bool {
        match needed {
            RequiredRole::Connect => true,
            RequiredRole::Vouch => false,
            RequiredRole::View => matches!(self, Self::Viewer | Self::Operator | Self::Admin),
            RequiredRole::Operate => matches!(self, Self::Operator | Self::Admin),
            RequiredRole::Administer => matches!(self, Self::Admin),
        }
    }
}

/// What a user gives for a new token.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenSpec {
    /// Unique among tokens: the daemon knows its holder as `token:NAME`.
    pub name: Name,
    /// What its holder may do.
    pub role: AccessRole,
    /// The only clusters that its holder may see and change; all if there are none.
    #[serde(default)]
    pub clusters: Vec<Name>,
    /// How long it holds: from a minute to ten years.
    pub lifetime_seconds: u64,
}

impl TokenSpec {
    /// The shortest time that a token holds.
    pub const MIN_LIFETIME_SECONDS: u64 = 60;
    /// The longest.
    pub const MAX_LIFETIME_SECONDS: u64 = 10 * 365 * 24 * 60 * 60;
    /// The most clusters that a token is limited to.
    pub const MAX_CLUSTERS: usize = 64;
}

/// What is shown of a token.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TokenInfo {
    /// Its name.
    pub name: Name,
    /// What its holder may do.
    pub role: AccessRole,
    /// The only clusters that its holder may see and change; all if there are none.
    pub clusters: Vec<Name>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: Principal,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl TokenInfo {
    /// Whether its holder may ask for this.
    pub fn may(&self, request: &Request) -> bool {
        let is_within = self.clusters.is_empty()
            || match request.reach() {
                Reach::Shared => true,
                Reach::Clusters => request.subject().cluster.is_none_or(|cluster| self.clusters.contains(cluster)),
                Reach::Host => false,
            };
        is_within && self.role.allows(request.required_role())
    }
}

/// A token that was just made.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NewToken {
    /// The token. It is said this once: the daemon keeps only a hash.
    pub token: SecretString,
    /// What is shown of it.
    pub info: TokenInfo,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_allows_what_the_one_below_does_and_more() {
        let needs = [RequiredRole::View, RequiredRole::Operate, RequiredRole::Administer];
        let allowed = |role: AccessRole| needs.iter().filter(|needed| role.allows(**needed)).count();
        assert_eq!(AccessRole::ALL.map(allowed), [1, 2, 3]);
        assert_eq!(allowed(AccessRole::Unknown(7)), 0, "a word of a later release allows nothing");
        assert!(AccessRole::ALL.iter().all(|role| !role.allows(RequiredRole::Vouch)));
    }
}
