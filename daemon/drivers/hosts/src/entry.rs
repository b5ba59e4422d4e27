//! One host as an account names it: `[USER@]ADDRESS[:PORT][,hostKey=SHA256:…][,privateAddress=ADDRESS]`.

use std::net::IpAddr;

use muster_protocol::{Error, Name};
use muster_provision::ssh::Login;

/// Where a host is and how its user logs in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Host {
    /// Its name in the account.
    pub name: Name,
    /// An IP address, or a name that the daemon's resolver knows.
    pub address: String,
    /// Where its sshd listens.
    pub port: u16,
    /// As whom to log in: root, or somebody who may become root with sudo.
    pub user: String,
    /// The fingerprint of its host key, if it was given; else the first one that is seen counts.
    pub fingerprint: Option<String>,
    /// Where the other machines of a cluster reach it, if not at `address`.
    pub private_address: Option<IpAddr>,
    /// With what to log in.
    pub login: Login,
}

/// What an entry says; the rest is the account's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    pub(crate) user: Option<String>,
    pub(crate) address: String,
    pub(crate) port: Option<u16>,
    pub(crate) fingerprint: Option<String>,
    pub(crate) private_address: Option<IpAddr>,
}

const FORM: &str =
    "write it as `[USER@]ADDRESS[:PORT][,hostKey=SHA256:…][,privateAddress=ADDRESS]`; an IPv6 address in brackets";

impl Entry {
    /// Reads the entry `text` that stands in the account's field `field`.
    pub(crate) fn parse(field: &str, text: &str) -> Result<Self, Error> {
        let wrong = |why: String| Error::invalid(field, format!("`{field}`: {why}")).with_remedy(FORM);
        let mut parts = text.split(',').map(str::trim);
        let place = parts.next().unwrap_or_default();
        let (user, place) = match place.rsplit_once('@') {
            Some((user, place)) => (Some(user_name(user).map_err(wrong)?), place),
            None => (None, place),
        };
        let (address, port) = address_and_port(place).map_err(wrong)?;
        let mut entry = Self { user, address, port, fingerprint: None, private_address: None };
        for part in parts {
            match part.split_once('=') {
                Some(("hostKey", value)) => entry.fingerprint = Some(fingerprint(value).map_err(wrong)?),
                Some(("privateAddress", value)) => {
                    let address = value.parse().map_err(|_| wrong(format!("`{value}` is no IP address")))?;
                    entry.private_address = Some(address);
                }
                Some(_) | None => return Err(wrong(format!("a host has no `{part}`"))),
            }
        }
        Ok(entry)
    }
}

fn address_and_port(place: &str) -> Result<(String, Option<u16>), String> {
    let (address, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (address, rest) = rest.split_once(']').ok_or_else(|| format!("`{place}` has no closing bracket"))?;
            (address, rest.strip_prefix(':'))
        }
        None => place.split_once(':').map_or((place, None), |(address, port)| (address, Some(port))),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._:%".contains(c);
    if address.is_empty() || address.starts_with('-') || !address.chars().all(plain) {
        return Err(format!("`{address}` is no address"));
    }
    let port = port.map(|port| match port.parse() {
        Ok(0) | Err(_) => Err(format!("`{port}` is no port")),
        Ok(port) => Ok(port),
    });
    Ok((address.to_owned(), port.transpose()?))
}

/// A name that is safe in a shell's script and in a sudoers file.
pub(crate) fn user_name(user: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    let starts_well = user.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    if !starts_well || user.len() > 32 || !user.chars().all(plain) {
        return Err(format!("`{user}` is no user's name"));
    }
    Ok(user.to_owned())
}

fn fingerprint(text: &str) -> Result<String, String> {
    // 32 bytes in base64 without padding.
    let digits = text.strip_prefix("SHA256:").filter(|digits| digits.len() == 43);
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '+' || c == '/';
    match digits {
        Some(digits) if digits.chars().all(plain) => Ok(text.to_owned()),
        Some(_) | None => Err(format!(
            "`{text}` is no fingerprint of a host key: `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` says it"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Entry, Error> {
        Entry::parse("defaults.host.web-1", text)
    }

    #[test]
    fn an_entry_says_as_much_as_it_wants() {
        let bare =
            Entry { user: None, address: "10.0.0.5".into(), port: None, fingerprint: None, private_address: None };
        assert_eq!(parse("10.0.0.5").unwrap(), bare);
        let print = format!("SHA256:{}", "a".repeat(43));
        let full = Entry {
            user: Some("admin".into()),
            address: "web-1.lan".into(),
            port: Some(2222),
            fingerprint: Some(print.clone()),
            private_address: Some("10.1.0.5".parse().unwrap()),
        };
        assert_eq!(parse(&format!("admin@web-1.lan:2222,hostKey={print},privateAddress=10.1.0.5")).unwrap(), full);
        let six = parse("root@[fd00::5]:22").unwrap();
        assert_eq!((six.address.as_str(), six.port), ("fd00::5", Some(22)));
    }

    #[test]
    fn a_bad_entry_is_refused_by_its_field_with_the_right_form() {
        for (text, says) in [
            ("", "is no address"),
            ("root@", "is no address"),
            ("-oProxyCommand=x", "is no address"),
            ("10.0.0.5:0", "is no port"),
            ("10.0.0.5:ssh", "is no port"),
            ("[fd00::5", "no closing bracket"),
            ("Root;x@10.0.0.5", "is no user's name"),
            ("10.0.0.5,hostKey=MD5:x", "is no fingerprint"),
            ("10.0.0.5,privateAddress=web", "is no IP address"),
            ("10.0.0.5,zone=a", "a host has no `zone=a`"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.message.contains(says), "{text}: {}", error.message);
            assert_eq!(error.details["field"], "defaults.host.web-1");
            assert!(error.remedy.unwrap().contains("ADDRESS"), "{text}");
        }
    }
}
