//! What an account says: which hosts, and how to log in to them.

use std::collections::BTreeMap;
use std::time::Duration;

use muster_protocol::{Error, Name, SecretString};
use muster_provision::ssh::{Login, Proof};
use russh::keys::PrivateKey;

use crate::entry::{Entry, Host, user_name};

/// The hosts of one account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostsOptions {
    /// The hosts, by name.
    pub hosts: BTreeMap<Name, Host>,
    /// The account, for messages.
    pub account: Name,
    /// How the driver behaves.
    pub habits: Habits,
}

/// Spans that depend on how fast hosts answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Habits {
    /// How long a host may take to let the driver in.
    pub login_limit: Duration,
    /// How long it may take to say what it is.
    pub facts_limit: Duration,
    /// How long one that does not run is waited for.
    pub start_limit: Duration,
    /// How long it may take to record how it was found.
    pub claim_limit: Duration,
    /// How long it may take to undo everything.
    pub release_limit: Duration,
    /// For how long one look at all hosts serves all clusters of the account.
    pub survey_kept: Duration,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            login_limit: Duration::from_secs(6),
            facts_limit: Duration::from_secs(10),
            start_limit: Duration::from_secs(60),
            claim_limit: Duration::from_secs(120),
            release_limit: Duration::from_secs(540),
            survey_kept: Duration::from_secs(2),
        }
    }
}

/// `host.<name>`: one host.
const HOST: &str = "host.";
const USER: &str = "user";
const PORT: &str = "port";
const SSH_KEY: &str = "sshKey";
const PASSWORD: &str = "password";
const SUDO_PASSWORD: &str = "sudoPassword";
const CREDENTIALS: [&str; 3] = [SSH_KEY, PASSWORD, SUDO_PASSWORD];
/// One look logs in to every host of the account.
const MOST_HOSTS: usize = 500;

impl HostsOptions {
    /// Reads an account: its credentials and its defaults. What is wrong is refused by its field.
    pub fn of_account(
        account: &Name,
        credentials: &BTreeMap<String, SecretString>,
        defaults: &BTreeMap<String, String>,
    ) -> Result<Self, Error> {
        let mut entries = BTreeMap::new();
        for (key, text) in defaults {
            if let Some(name) = key.strip_prefix(HOST) {
                let field = format!("defaults.{key}");
                let name: Name = name.parse().map_err(|error| {
                    Error::invalid(&field, format!("`{name}` is no name: {error}"))
                        .with_remedy("write it as `host.web-1`")
                })?;
                entries.insert(name, Entry::parse(&field, text)?);
            } else if ![USER, PORT].contains(&key.as_str()) {
                return Err(Error::invalid(&format!("defaults.{key}"), format!("hosts have no default `{key}`"))
                    .with_remedy("defaults: `host.NAME` for each host, `user`, `port`"));
            }
        }
        if entries.is_empty() || entries.len() > MOST_HOSTS {
            let message = format!("an account of hosts has 1 to {MOST_HOSTS} hosts, not {}", entries.len());
            return Err(Error::invalid("defaults", message)
                .with_remedy("name each host with `--default host.NAME=[USER@]ADDRESS[:PORT]`"));
        }
        refuse_one_place_twice(&entries)?;
        let given = Given { credentials, defaults };
        given.refuse_what_means_nothing(&entries)?;
        let mut hosts = BTreeMap::new();
        for (name, entry) in entries {
            hosts.insert(name.clone(), given.host(name, entry)?);
        }
        Ok(Self { hosts, account: account.clone(), habits: Habits::default() })
    }
}

/// The account as it was given.
struct Given<'a> {
    credentials: &'a BTreeMap<String, SecretString>,
    defaults: &'a BTreeMap<String, String>,
}

impl Given<'_> {
    fn host(&self, name: Name, entry: Entry) -> Result<Host, Error> {
        let user = match (entry.user, self.defaults.get(USER)) {
            (Some(user), _) => user,
            (None, Some(user)) => user_name(user).map_err(|why| {
                Error::invalid("defaults.user", why).with_remedy("give the name of a user with sudo, or `root`")
            })?,
            (None, None) => "root".to_owned(),
        };
        let port = match (entry.port, self.defaults.get(PORT)) {
            (Some(port), _) => port,
            (None, Some(port)) => port.parse().ok().filter(|port| *port != 0).ok_or_else(|| {
                Error::invalid("defaults.port", format!("`{port}` is no port"))
                    .with_remedy("give a number from 1 to 65535")
            })?,
            (None, None) => 22,
        };
        let login = self.login(&name)?;
        let (address, fingerprint, private_address) = (entry.address, entry.fingerprint, entry.private_address);
        Ok(Host { name, address, port, user, fingerprint, private_address, login })
    }

    /// What is given for one host goes before what is given for all, and a key before a password.
    fn login(&self, host: &Name) -> Result<Login, Error> {
        let own = |kind: &str| format!("{kind}.{host}");
        let ways = [own(SSH_KEY), own(PASSWORD), SSH_KEY.to_owned(), PASSWORD.to_owned()];
        let Some((name, secret)) = self.first_of(ways) else {
            let message = format!("nothing says how to log in to host `{host}`");
            return Err(Error::invalid("credentials", message).with_remedy(format!(
                "give `--credential-file sshKey=FILE` for all hosts or `sshKey.{host}=FILE` for this one; `password` likewise"
            )));
        };
        // A user's own password is what sudo asks for.
        let sudo = [own(SUDO_PASSWORD), own(PASSWORD), SUDO_PASSWORD.to_owned(), PASSWORD.to_owned()];
        let sudo_password = self.first_of(sudo).map(|(_, password)| password.clone());
        if name.starts_with(PASSWORD) {
            let proof = Proof::Password(secret.clone());
            return Ok(Login { whose: "the account's password", proof, sudo_password, may_be_early: false });
        }
        readable(&format!("credentials.{name}"), secret)?;
        Ok(Login { whose: "the account's key", proof: Proof::Key(secret.clone()), sudo_password, may_be_early: false })
    }

    fn first_of<const N: usize>(&self, names: [String; N]) -> Option<(String, &SecretString)> {
        names.into_iter().find_map(|name| self.credentials.get(&name).map(|value| (name, value)))
    }

    fn refuse_what_means_nothing(&self, hosts: &BTreeMap<Name, Entry>) -> Result<(), Error> {
        for credential in self.credentials.keys() {
            let (kind, host) = credential.split_once('.').map_or((credential.as_str(), None), |(a, b)| (a, Some(b)));
            let field = format!("credentials.{credential}");
            if !CREDENTIALS.contains(&kind) {
                return Err(Error::invalid(&field, format!("hosts have no credential `{kind}`"))
                    .with_remedy(format!("credentials: {}; for one host `{SSH_KEY}.NAME`", CREDENTIALS.join(", "))));
            }
            if let Some(host) = host.filter(|host| !hosts.keys().any(|name| name.as_str() == *host)) {
                return Err(Error::invalid(&field, format!("the account has no host `{host}`"))
                    .with_remedy(format!("name it with `--default host.{host}=ADDRESS`")));
            }
        }
        Ok(())
    }
}

/// Two names for one host would be claimed twice.
fn refuse_one_place_twice(entries: &BTreeMap<Name, Entry>) -> Result<(), Error> {
    let mut places = BTreeMap::new();
    for (name, entry) in entries {
        if let Some(other) = places.insert((&entry.address, entry.port), name) {
            let message = format!("hosts `{other}` and `{name}` are at one address, {}", entry.address);
            return Err(Error::invalid(&format!("defaults.host.{name}"), message).with_remedy("name each host once"));
        }
    }
    Ok(())
}

fn readable(field: &str, key: &SecretString) -> Result<(), Error> {
    match PrivateKey::from_openssh(key.expose()) {
        Ok(key) if key.is_encrypted() => Err(Error::invalid(field, "the SSH key is protected by a passphrase")
            .with_remedy("give a key without one, made for Muster: `ssh-keygen -t ed25519 -N '' -f muster-key`")),
        Ok(_) => Ok(()),
        Err(_) => Err(Error::invalid(field, "this is no private key in OpenSSH's format")
            .with_remedy("give the file that `ssh-keygen -t ed25519` made, not its `.pub`")),
    }
}

#[cfg(test)]
mod tests {
    use muster_material::ssh_key;

    use super::*;

    fn key() -> SecretString {
        ssh_key::private_text(&ssh_key::generate("tests").unwrap()).unwrap()
    }

    fn read(credentials: &[(&str, SecretString)], defaults: &[(&str, &str)]) -> Result<HostsOptions, Error> {
        let credentials = credentials.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let defaults = defaults.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        HostsOptions::of_account(&"lab".parse().unwrap(), &credentials, &defaults)
    }

    #[test]
    fn what_is_said_of_one_host_goes_before_what_is_said_of_all() {
        let (all, one) = (key(), SecretString::new("secret"));
        let defaults =
            [("host.web-1", "10.0.0.1"), ("host.web-2", "root@10.0.0.2:2222"), ("user", "admin"), ("port", "23")];
        let options = read(&[("sshKey", all.clone()), ("password.web-2", one.clone())], &defaults).unwrap();
        let host = |name: &str| options.hosts[&name.parse::<Name>().unwrap()].clone();
        let (first, second) = (host("web-1"), host("web-2"));
        assert_eq!((first.user.as_str(), first.port, first.login.proof), ("admin", 23, Proof::Key(all)));
        assert_eq!((second.user.as_str(), second.port), ("root", 2222));
        assert_eq!(second.login.proof, Proof::Password(one.clone()));
        assert_eq!(second.login.sudo_password, Some(one));
    }

    #[test]
    fn what_is_wrong_is_refused_by_its_field_with_a_remedy() {
        let good = [("host.web-1", "10.0.0.1")];
        let refused = |credentials: &[(&str, SecretString)], defaults: &[(&str, &str)]| {
            let error = read(credentials, defaults).unwrap_err();
            assert!(error.remedy.is_some(), "{}", error.message);
            error.details["field"].clone()
        };
        let with_key = [("sshKey", key())];
        assert_eq!(refused(&with_key, &[]), "defaults");
        assert_eq!(refused(&with_key, &[("host.Web 1", "10.0.0.1")]), "defaults.host.Web 1");
        assert_eq!(refused(&with_key, &[("host.web-1", "")]), "defaults.host.web-1");
        assert_eq!(refused(&with_key, &[good[0], ("host.web-2", "10.0.0.1")]), "defaults.host.web-2");
        assert_eq!(refused(&with_key, &[good[0], ("region", "x")]), "defaults.region");
        assert_eq!(refused(&with_key, &[good[0], ("user", "A b")]), "defaults.user");
        assert_eq!(refused(&with_key, &[good[0], ("port", "0")]), "defaults.port");
        assert_eq!(refused(&[], &good), "credentials");
        assert_eq!(refused(&[("sshKey", SecretString::new("x"))], &good), "credentials.sshKey");
        assert_eq!(refused(&[("token", key())], &good), "credentials.token");
        assert_eq!(refused(&[("sshKey", key()), ("sshKey.web-9", key())], &good), "credentials.sshKey.web-9");
    }
}
