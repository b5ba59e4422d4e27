//! Who is at the other end of a connection, and what may they do: the socket's peer credentials against the configuration.
//!
//! The socket tells the process's user and its own group. All other groups are those that the user database has for the
//! user, so a new membership counts from the next connection on, and a supplementary group that only the process has does
//! not count.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use muster_protocol::model::token::AccessRole;
use muster_protocol::request::RequiredRole;
use muster_protocol::subject::Reach;
use muster_protocol::{Error, ErrorCode, Name, Principal, PrincipalKind, Request, Timestamp};
use tokio::net::UnixStream;

use super::token::book::TokenBook;
use crate::journal::audit_note::AuditNote;

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

impl Role {
    /// The role of this word; none if it is a word of a later release.
    pub const fn of_word(word: AccessRole) -> Option<Self> {
        match word {
            AccessRole::Viewer => Some(Self::Viewer),
            AccessRole::Operator => Some(Self::Operator),
            AccessRole::Admin => Some(Self::Admin),
            AccessRole::Unknown(_) => None,
        }
    }
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
pub struct Roles {
    /// Viewers.
    pub viewers: Members,
    /// Operators.
    pub operators: Members,
    /// Administrators, beside root and the daemon's own user.
    pub admins: Members,
    /// Users, by name or number, who may speak for others.
    pub trusted: BTreeSet<String>,
}

/// A user as the system knows it: each name also as a number.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Identity {
    /// The number.
    pub uid: u32,
    /// The name; none if the user database has none for the number.
    pub name: Option<String>,
    /// Name and number.
    pub user: BTreeSet<String>,
    /// Names and numbers of all groups.
    pub groups: BTreeSet<String>,
    /// The process at the other end, if the system knows it.
    pub pid: Option<u32>,
}

/// The caller of a request.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who it is.
    pub principal: Principal,
    /// The user at the other end of the connection, by number.
    pub uid: u32,
    /// Whether that user may speak for others.
    pub is_trusted: bool,
    /// What it may do; nothing, if none.
    pub role: Option<Role>,
    /// The only clusters that it may see and change; all if none.
    pub clusters: Option<Arc<BTreeSet<Name>>>,
    /// The trusted user who speaks for it, if it does not speak for itself.
    pub through: Option<Principal>,
    /// The process at the other end of the connection.
    pub pid: Option<u32>,
    /// The network address that it asks from, as the trusted user says.
    pub address: Option<IpAddr>,
    /// The audit record of what it asks for, if that is on the trail.
    pub audit: Option<Arc<AuditNote>>,
}

impl Roles {
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

    /// The caller at the other end of a connection, who speaks for nobody else yet.
    pub fn caller(&self, identity: &Identity, own_uid: u32) -> Caller {
        let name = identity.name.clone().unwrap_or_else(|| identity.uid.to_string());
        Caller {
            is_trusted: !self.trusted.is_disjoint(&identity.user),
            pid: identity.pid,
            ..Caller::new(Principal::user(name), identity.uid, self.role(identity, own_uid))
        }
    }

    /// The role that a principal of a trusted user's has by its own name, as in `certificate:ci`.
    fn role_of_principal(&self, principal: &Principal) -> Option<Role> {
        let name = principal.to_string();
        let roles = [(Role::Admin, &self.admins), (Role::Operator, &self.operators), (Role::Viewer, &self.viewers)];
        roles.into_iter().find(|(_, members)| members.users.contains(&name)).map(|(role, _)| role)
    }
}

impl Members {
    fn has(&self, identity: &Identity) -> bool {
        !self.users.is_disjoint(&identity.user) || !self.groups.is_disjoint(&identity.groups)
    }
}

impl Caller {
    /// A caller who speaks for itself and sees all clusters.
    pub const fn new(principal: Principal, uid: u32, role: Option<Role>) -> Self {
        let (clusters, through, pid, address, audit) = (None, None, None, None, None);
        Self { principal, uid, is_trusted: false, role, clusters, through, pid, address, audit }
    }

    /// The caller that this one speaks for. The holder of a token has the token's role and clusters, and any other the role
    /// that the configuration gives it by name, or else the trusted user's; none has a higher role than that user.
    pub fn on_behalf_of(
        &self,
        principal: Principal,
        address: Option<IpAddr>,
        roles: &Roles,
        tokens: &TokenBook,
        now: Timestamp,
    ) -> Result<Self, Error> {
        if !self.is_trusted {
            let message = format!("{} may not speak for others", self.principal);
            return Err(Error::new(ErrorCode::PermissionDenied, message).with_remedy(
                "have an administrator add the user to `[access] trusted` of the daemon's configuration",
            ));
        }
        principal.check()?;
        let (role, clusters) = if principal.kind == PrincipalKind::Token {
            let token = tokens.holding(&principal.name, now).ok_or_else(|| {
                let message = format!("{principal} is unknown, was revoked or has ended");
                Error::new(ErrorCode::PermissionDenied, message)
                    .with_remedy("have an administrator make a token with `muster token create`")
            })?;
            let clusters = (!token.clusters.is_empty()).then(|| Arc::new(token.clusters.into_iter().collect()));
            (self.role.min(Role::of_word(token.role)), clusters)
        } else {
            (roles.role_of_principal(&principal).map_or(self.role, |role| self.role.min(Some(role))), None)
        };
        let through = Some(self.principal.clone());
        Ok(Self { principal, role, clusters, through, address, ..self.clone() })
    }

    /// Refuses a request that the caller's role does not allow, or its clusters.
    pub fn may(&self, request: &Request) -> Result<(), Error> {
        self.has_role_for(request)?;
        if self.clusters.is_none() {
            return Ok(());
        }
        match (request.reach(), request.subject().cluster) {
            (Reach::Shared, _) | (Reach::Clusters, None) => Ok(()),
            (Reach::Clusters, Some(cluster)) if self.sees(cluster) => Ok(()),
            // The same whether there is such a cluster or not.
            (Reach::Clusters, Some(cluster)) => Err(self.limited(&format!("not of cluster `{cluster}`"))),
            (Reach::Host, _) => Err(self.limited("not of the host as a whole")),
        }
    }

    /// Whether the caller may see this cluster, its role apart.
    pub fn sees(&self, cluster: &Name) -> bool {
        self.clusters.as_ref().is_none_or(|clusters| clusters.contains(cluster))
    }

    fn limited(&self, to_what: &str) -> Error {
        let message = format!("{} is one of some clusters only, and {to_what}", self.principal);
        Error::new(ErrorCode::PermissionDenied, message)
            .with_remedy("use a token that is not limited to other clusters")
    }

    fn has_role_for(&self, request: &Request) -> Result<(), Error> {
        let needed = match request.required_role() {
            RequiredRole::Connect => return Ok(()),
            RequiredRole::Vouch if self.is_trusted && self.through.is_none() => return Ok(()),
            RequiredRole::Vouch => {
                let message = format!("{} may not vouch for others", self.principal);
                return Err(Error::new(ErrorCode::PermissionDenied, message)
                    .with_remedy("only users in `[access] trusted` of the daemon's configuration may"));
            }
            RequiredRole::View => Role::Viewer,
            RequiredRole::Operate => Role::Operator,
            RequiredRole::Administer => Role::Admin,
        };
        if self.role.is_some_and(|role| role >= needed) {
            return Ok(());
        }
        let has = self.role.map_or("no role".to_owned(), |role| format!("role `{role}`"));
        let message = format!("{} has {has}; {} needs `{needed}`", self.principal, request.operation_id());
        let remedy = if self.principal.kind == PrincipalKind::Token {
            format!("use a token with the role `{needed}`, and see that who vouches for it has it too")
        } else {
            format!("have an administrator add you to the {needed}s in `[access]` of the daemon's configuration")
        };
        Err(Error::new(ErrorCode::PermissionDenied, message).with_remedy(remedy).with_detail("needs", needed))
    }
}

/// The user at the other end of this connection. The user database is asked for names and groups, which may take a while.
pub async fn identify(stream: &UnixStream) -> io::Result<Identity> {
    let peer = stream.peer_cred()?;
    let (uid, gid) = (peer.uid(), peer.gid());
    let pid = peer.pid().and_then(|pid| u32::try_from(pid).ok());
    let identity = tokio::task::spawn_blocking(move || look_up(uid, gid)).await.map_err(io::Error::other)?;
    Ok(Identity { pid, ..identity })
}

fn look_up(uid: u32, gid: u32) -> Identity {
    let mut identity = Identity { uid, ..Identity::default() };
    identity.user.insert(uid.to_string());
    identity.groups.insert(gid.to_string());
    let primary = uzers::get_group_by_gid(gid);
    let mut groups: Vec<uzers::Group> = primary.into_iter().collect();
    if let Some(user) = uzers::get_user_by_uid(uid) {
        let name = user.name().to_string_lossy().into_owned();
        identity.user.insert(name.clone());
        identity.name = Some(name);
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
    use crate::journal::records::StoredToken;

    fn words(words: &[&str]) -> BTreeSet<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn user(uid: u32, name: &str, groups: &[&str]) -> Identity {
        Identity {
            uid,
            name: Some(name.to_owned()),
            user: words(&[&uid.to_string(), name]),
            groups: words(groups),
            pid: None,
        }
    }

    fn roles() -> Roles {
        Roles {
            viewers: Members { users: words(&["vera", "certificate:dashboard"]), groups: words(&["staff"]) },
            operators: Members { users: words(&["1002"]), groups: words(&["muster"]) },
            admins: Members { users: words(&[]), groups: words(&["wheel"]) },
            trusted: words(&["bridge"]),
        }
    }

    fn caller(role: Option<Role>) -> Caller {
        Caller::new(Principal::user("otto"), 7, role)
    }

    fn certificate(name: &str) -> Principal {
        Principal { kind: PrincipalKind::Certificate, name: name.to_owned() }
    }

    /// A token of the name `ci` that ends at 10.
    fn tokens(role: AccessRole, clusters: &[&str]) -> TokenBook {
        let tokens = TokenBook::default();
        tokens.note(StoredToken {
            name: "ci".parse().unwrap(),
            role,
            clusters: clusters.iter().map(|name| name.parse().unwrap()).collect(),
            sha256: [0; 32],
            created_at: Timestamp::from_millis(0),
            created_by: Principal::user("root"),
            expires_at: Timestamp::from_millis(10),
        });
        tokens
    }

    fn spoken_for(by: &Caller, principal: Principal, tokens: &TokenBook, now: u64) -> Result<Caller, Error> {
        by.on_behalf_of(principal, None, &roles(), tokens, Timestamp::from_millis(now))
    }

    #[test]
    fn only_a_trusted_user_speaks_for_others_and_never_with_a_higher_role() {
        let (roles, no_tokens) = (roles(), TokenBook::default());
        let plain = roles.caller(&user(1002, "otto", &[]), 900);
        let refused = spoken_for(&plain, certificate("ci"), &no_tokens, 1).unwrap_err();
        assert_eq!(refused.code, ErrorCode::PermissionDenied);

        let bridge = roles.caller(&user(1005, "bridge", &["muster"]), 900);
        let ci = spoken_for(&bridge, certificate("ci"), &no_tokens, 1).unwrap();
        assert_eq!((ci.principal, ci.role), (certificate("ci"), Some(Role::Operator)));
        let dashboard = spoken_for(&bridge, certificate("dashboard"), &no_tokens, 1).unwrap();
        assert_eq!(dashboard.role, Some(Role::Viewer));
        let powerless = roles.caller(&user(1006, "bridge", &[]), 900);
        assert_eq!(spoken_for(&powerless, certificate("dashboard"), &no_tokens, 1).unwrap().role, None);
        assert!(spoken_for(&bridge, Principal::daemon(), &no_tokens, 1).is_err());
    }

    #[test]
    fn the_holder_of_a_token_has_its_role_as_long_as_it_holds_and_never_more_than_who_speaks_for_it() {
        let bridge = roles().caller(&user(1005, "bridge", &["muster"]), 900);
        let role =
            |word, now| spoken_for(&bridge, Principal::token("ci"), &tokens(word, &[]), now).map(|caller| caller.role);
        assert_eq!(role(AccessRole::Viewer, 9), Ok(Some(Role::Viewer)));
        assert_eq!(role(AccessRole::Admin, 9), Ok(Some(Role::Operator)), "the bridge is an operator only");
        assert_eq!(role(AccessRole::Unknown(9), 9), Ok(None), "a word of a later release grants nothing");
        assert_eq!(role(AccessRole::Viewer, 10).unwrap_err().code, ErrorCode::PermissionDenied, "it has ended");
        let unknown = spoken_for(&bridge, Principal::token("cd"), &tokens(AccessRole::Viewer, &[]), 1);
        assert_eq!(unknown.unwrap_err().code, ErrorCode::PermissionDenied);
    }

    #[test]
    fn a_token_of_some_clusters_reaches_those_and_what_all_share() {
        let admin = roles().caller(&user(0, "root", &[]), 900);
        let trusted = Caller { is_trusted: true, ..admin };
        let ci = spoken_for(&trusted, Principal::token("ci"), &tokens(AccessRole::Admin, &["one"]), 1).unwrap();
        let delete = |cluster: &str| {
            ci.may(&Request::ClusterDelete { cluster: cluster.parse().unwrap(), idempotency_key: None })
        };
        assert!(delete("one").is_ok() && ci.may(&Request::CatalogList).is_ok() && ci.may(&Request::Whoami).is_ok());
        assert_eq!(delete("two").unwrap_err().code, ErrorCode::PermissionDenied);
        for host in [Request::AccountList, Request::Doctor, Request::AuditVerify, Request::Metrics] {
            assert_eq!(ci.may(&host).unwrap_err().code, ErrorCode::PermissionDenied, "{}", host.operation_id());
        }
        assert!(ci.sees(&"one".parse().unwrap()) && !ci.sees(&"two".parse().unwrap()));
    }

    #[test]
    fn only_a_trusted_user_itself_learns_what_a_token_grants() {
        let resolve = Request::TokenResolve { token: muster_protocol::SecretString::new("mst_ci_x") };
        let bridge = roles().caller(&user(1005, "bridge", &["muster"]), 900);
        assert!(bridge.may(&resolve).is_ok());
        let ci = spoken_for(&bridge, Principal::token("ci"), &tokens(AccessRole::Admin, &[]), 1).unwrap();
        assert!(ci.may(&resolve).is_err());
        assert!(caller(Some(Role::Admin)).may(&resolve).is_err());
    }

    #[test]
    fn root_and_the_daemons_own_user_are_administrators_whatever_is_configured() {
        assert_eq!(Roles::default().role(&user(0, "root", &[]), 900), Some(Role::Admin));
        assert_eq!(Roles::default().role(&user(900, "muster", &[]), 900), Some(Role::Admin));
        assert_eq!(Roles::default().role(&user(901, "other", &["muster"]), 900), None);
    }

    #[test]
    fn users_and_groups_are_known_by_name_or_number_and_the_highest_role_counts() {
        let roles = roles();
        assert_eq!(roles.role(&user(1001, "vera", &[]), 900), Some(Role::Viewer));
        assert_eq!(roles.role(&user(1002, "otto", &["staff"]), 900), Some(Role::Operator));
        assert_eq!(roles.role(&user(1003, "anna", &["users", "wheel", "muster"]), 900), Some(Role::Admin));
        assert_eq!(roles.role(&user(1004, "nobody", &["users"]), 900), None);
    }

    #[test]
    fn a_role_allows_what_lower_ones_allow_and_a_refusal_names_what_is_missing() {
        let operator = caller(Some(Role::Operator));
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
        let nobody = caller(None);
        assert!(nobody.may(&Request::Whoami).is_ok());
        assert!(nobody.may(&Request::CatalogList).is_err());
    }
}
