//! Who asks for something.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::growing::growing_words;

growing_words! {
    /// What kind of caller a principal is.
    pub enum PrincipalKind {
        /// A user of the host, known by the socket's peer credentials or vouched for by a trusted user.
        User = 0 => "user",
        /// The holder of a token, which a trusted user has checked.
        Token = 1 => "token",
        /// The holder of a client certificate, which a trusted user has checked.
        Certificate = 2 => "certificate",
        /// The daemon itself, for what nobody asked for.
        Daemon = 3 => "daemon",
    }
}

/// Who asks for a change: kept with the change's operation, its events and its idempotency key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Principal {
    /// What kind of caller it is.
    pub kind: PrincipalKind,
    /// Its name among those of its kind. For a user of the host: the login name, or the number if it has no name.
    pub name: String,
}

/// Somebody whom a trusted user speaks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asker {
    /// Who.
    pub principal: Principal,
    /// The network address that they ask from, if it is said.
    pub address: Option<IpAddr>,
}

impl Principal {
    /// The most bytes that a name may have.
    pub const MAX_NAME_BYTES: usize = 128;

    /// A user of the host.
    pub fn user(name: impl Into<String>) -> Self {
        Self { kind: PrincipalKind::User, name: name.into() }
    }

    /// The holder of a token.
    pub fn token(name: impl Into<String>) -> Self {
        Self { kind: PrincipalKind::Token, name: name.into() }
    }

    /// The daemon itself.
    pub fn daemon() -> Self {
        Self { kind: PrincipalKind::Daemon, name: "musterd".to_owned() }
    }

    /// Refuses a principal that nobody can speak for: one without a usable name, the daemon, one of a later release.
    pub fn check(&self) -> Result<(), Error> {
        match self.kind {
            PrincipalKind::User | PrincipalKind::Token | PrincipalKind::Certificate => {}
            PrincipalKind::Daemon | PrincipalKind::Unknown(_) => {
                let message = format!("nobody can speak for a principal of the kind `{}`", self.kind);
                return Err(Error::invalid("onBehalfOf.kind", message).with_remedy("say user, token or certificate"));
            }
        }
        let is_printable = self.name.bytes().all(|byte| byte.is_ascii_graphic());
        if self.name.is_empty() || self.name.len() > Self::MAX_NAME_BYTES || !is_printable {
            let message =
                format!("a principal's name has 1 to {} printable ASCII characters, no spaces", Self::MAX_NAME_BYTES);
            return Err(Error::invalid("onBehalfOf.name", message));
        }
        Ok(())
    }
}

impl FromStr for Principal {
    type Err = String;

    /// Reads what `Display` writes; a name without a kind is that of a user.
    fn from_str(text: &str) -> Result<Self, String> {
        let Some((kind, name)) = text.split_once(':') else { return Ok(Self::user(text)) };
        Ok(Self { kind: kind.parse()?, name: name.to_owned() })
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}:{}", self.kind, self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_is_read_as_it_is_shown_and_a_bare_name_is_a_users() {
        for principal in [Principal::user("anna"), Principal::token("ci"), Principal::daemon()] {
            assert_eq!(principal.to_string().parse(), Ok(principal));
        }
        assert_eq!("anna".parse(), Ok(Principal::user("anna")));
        assert!("nobody:anna".parse::<Principal>().is_err());
    }

    #[test]
    fn nobody_speaks_for_the_daemon_or_for_a_name_that_cannot_be_shown() {
        assert!(Principal::token("ci").check().is_ok());
        assert_eq!(Principal::daemon().check().unwrap_err().details["field"], "onBehalfOf.kind");
        let long = "x".repeat(Principal::MAX_NAME_BYTES + 1);
        for name in ["", "a b", "a\n", "ü", &long] {
            assert_eq!(Principal::user(name).check().unwrap_err().details["field"], "onBehalfOf.name", "{name:?}");
        }
    }
}
