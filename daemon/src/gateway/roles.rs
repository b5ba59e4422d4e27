//! Who is at the other end of a connection, and what may they do: the socket's peer credentials against the configuration.
//!
//! The socket tells the process's user and its own group. All other groups are those that the user database has for the
//! user, so a new membership counts from the next connection on, and a supplementary group that only the process has does
//! not count.

use std::collections::BTreeSet;
use std::fmt;
use std::io;

use muster_protocol::request::Access as Needed;
use muster_protocol::{Error, ErrorCode, Request};
use tokio::net::UnixStream;

/// What a caller may do; each role may do what the ones before it may.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Role {
    /// Look.
    Viewer,
    /// Create, change and remove clusters and services.
    Operator,
    /// Handle credentials.
    Admin,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        })
    }
}

/// Users and groups of one role, by name or number.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Members {
    /// Users.
    pub users: BTreeSet<String>,
    /// Groups, a process's own one and those of its user in the user database alike.
    pub groups: BTreeSet<String>,
}

/// Who has which role.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Access {
    /// Viewers.
    pub viewers: Members,
    /// Operators.
    pub operators: Members,
    /// Administrators, beside root and the daemon's own user.
    pub admins: Members,
}

/// A user as the system knows it: each name also as a number.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Identity {
    /// The number.
    pub uid: u32,
    /// Name and number.
    pub user: BTreeSet<String>,
    /// Names and numbers of all groups.
    pub groups: BTreeSet<String>,
}

/// The caller of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Caller {
    /// The user, by number.
    pub uid: u32,
    /// What it may do; nothing, if none.
    pub role: Option<Role>,
}

impl Access {
    /// The role of a user; `own_uid` is the daemon's.
    pub fn role(&self, identity: &Identity, own_uid: u32) -> Option<Role> {
        if identity.uid == 0 || identity.uid == own_uid || self.admins.has(identity) {
            return Some(Role::Admin);
        }
        if self.operators.has(identity) {
            return Some(Role::Operator);
        }
        self.viewers.has(identity).then_some(Role::Viewer)
    }
}

impl Members {
    fn has(&self, identity: &Identity) -> bool {
        !self.users.is_disjoint(&identity.user) || !self.groups.is_disjoint(&identity.groups)
    }
}

impl Caller {
    /// Refuses a request that the caller's role does not allow.
    pub fn may(&self, request: &Request) -> Result<(), Error> {
        let needed = match request.access() {
            Needed::Connect => return Ok(()),
            Needed::View => Role::Viewer,
            Needed::Operate => Role::Operator,
            Needed::Administer => Role::Admin,
        };
        if self.role.is_some_and(|role| role >= needed) {
            return Ok(());
        }
        let has = self.role.map_or("no role".to_owned(), |role| format!("role `{role}`"));
        let message = format!("user {} has {has}; {} needs `{needed}`", self.uid, request.operation_id());
        Err(Error::new(ErrorCode::PermissionDenied, message)
            .with_remedy(format!(
                "have an administrator add you to the {needed}s in `[access]` of the daemon's configuration"
            ))
            .with_detail("needs", needed))
    }
}

/// The user at the other end of this connection. The user database is asked for names and groups, which may take a while.
pub async fn identify(stream: &UnixStream) -> io::Result<Identity> {
    let peer = stream.peer_cred()?;
    let (uid, gid) = (peer.uid(), peer.gid());
    tokio::task::spawn_blocking(move || look_up(uid, gid)).await.map_err(io::Error::other)
}

fn look_up(uid: u32, gid: u32) -> Identity {
    let mut identity = Identity { uid, ..Identity::default() };
    identity.user.insert(uid.to_string());
    identity.groups.insert(gid.to_string());
    let primary = uzers::get_group_by_gid(gid);
    let mut groups: Vec<uzers::Group> = primary.into_iter().collect();
    if let Some(user) = uzers::get_user_by_uid(uid) {
        identity.user.insert(user.name().to_string_lossy().into_owned());
        groups.extend(user.groups().unwrap_or_default());
    }
    for group in groups {
        identity.groups.insert(group.gid().to_string());
        identity.groups.insert(group.name().to_string_lossy().into_owned());
    }
    identity
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> BTreeSet<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn user(uid: u32, name: &str, groups: &[&str]) -> Identity {
        Identity { uid, user: words(&[&uid.to_string(), name]), groups: words(groups) }
    }

    fn access() -> Access {
        Access {
            viewers: Members { users: words(&["vera"]), groups: words(&["staff"]) },
            operators: Members { users: words(&["1002"]), groups: words(&["muster"]) },
            admins: Members { users: words(&[]), groups: words(&["wheel"]) },
        }
    }

    #[test]
    fn root_and_the_daemons_own_user_are_administrators_whatever_is_configured() {
        assert_eq!(Access::default().role(&user(0, "root", &[]), 900), Some(Role::Admin));
        assert_eq!(Access::default().role(&user(900, "muster", &[]), 900), Some(Role::Admin));
        assert_eq!(Access::default().role(&user(901, "other", &["muster"]), 900), None);
    }

    #[test]
    fn users_and_groups_are_known_by_name_or_number_and_the_highest_role_counts() {
        let access = access();
        assert_eq!(access.role(&user(1001, "vera", &[]), 900), Some(Role::Viewer));
        assert_eq!(access.role(&user(1002, "otto", &["staff"]), 900), Some(Role::Operator));
        assert_eq!(access.role(&user(1003, "anna", &["users", "wheel", "muster"]), 900), Some(Role::Admin));
        assert_eq!(access.role(&user(1004, "nobody", &["users"]), 900), None);
    }

    #[test]
    fn a_role_allows_what_lower_ones_allow_and_a_refusal_names_what_is_missing() {
        let operator = Caller { uid: 7, role: Some(Role::Operator) };
        assert!(operator.may(&Request::AccountList).is_ok());
        let cluster = "demo".parse().unwrap();
        assert!(operator.may(&Request::ClusterDelete { cluster, idempotency_key: None }).is_ok());
        let refused = operator.may(&Request::AccountRemove { account: "main".parse().unwrap() }).unwrap_err();
        assert_eq!(refused.code, ErrorCode::PermissionDenied);
        assert_eq!(refused.details["needs"], "admin");
        assert!(refused.remedy.is_some());
    }

    #[test]
    fn who_has_no_role_may_ask_who_they_are_and_nothing_else() {
        let nobody = Caller { uid: 7, role: None };
        assert!(nobody.may(&Request::Whoami).is_ok());
        assert!(nobody.may(&Request::CatalogList).is_err());
    }
}
