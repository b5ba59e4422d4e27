//! Logging in to a host: its address, its pinned host key, its user.

use std::net::IpAddr;
use std::time::Duration;

use muster_engine::failure::Failure;
use muster_engine::ledger::MachineAccess;
use muster_engine::observed::Addresses;
use muster_protocol::ErrorCode;
use muster_provision::ssh::{Session, SshError, fingerprint, scan};
use russh::keys::PublicKey;

use crate::HostsDriver;
use crate::entry::Host;

impl HostsDriver {
    /// Logs in to a host, within `patience`.
    pub(crate) async fn open(&self, host: &Host, patience: Duration) -> Result<(Session, MachineAccess), Failure> {
        let access = self.access(host).await?;
        let session = Session::open_with(&access, &host.login, patience).await;
        Ok((session.map_err(|error| failure(host, error))?, access))
    }

    /// How the host is reached now, with the host key that it has to show.
    pub(crate) async fn access(&self, host: &Host) -> Result<MachineAccess, Failure> {
        let Addresses { address, private_address } = addresses(host).await?;
        let host_key = self.host_key(host, &address).await?;
        Ok(MachineAccess { address, private_address, ssh_port: host.port, ssh_user: host.user.clone(), host_key })
    }

    /// The key that was pinned, as long as the account names no other one; else the one that the account names, or the
    /// first that is seen, which is pinned then.
    async fn host_key(&self, host: &Host, address: &str) -> Result<String, Failure> {
        let notes = self.register.notes.all().await?;
        let pinned = notes.get(&host.name).and_then(|note| note.host_key.clone());
        if let Some(pinned) = pinned
            && host.fingerprint.as_ref().is_none_or(|given| is_key(&pinned, given))
        {
            return Ok(pinned);
        }
        let shown = scan(address, host.port, self.options.habits.login_limit).await;
        let key = chosen(host, &shown)?;
        let line = key.to_openssh().map_err(|error| failure(host, SshError::Key(error)))?;
        if host.fingerprint.is_none() {
            tracing::warn!(host = %host.name, fingerprint = fingerprint(key), "the host key is pinned at first contact");
        }
        self.register.notes.change(&host.name, |note| note.host_key = Some(line.clone())).await?;
        Ok(line)
    }
}

/// Where a host is at present. Its name in the account stays when its address changes.
async fn addresses(host: &Host) -> Result<Addresses, Failure> {
    let found = tokio::net::lookup_host((host.address.as_str(), host.port)).await;
    let all: Vec<IpAddr> = found.map(|found| found.map(|place| place.ip()).collect()).unwrap_or_default();
    // The engines' certificates name one address; a host with both kinds is known by the older one.
    let address = all.iter().find(|address| address.is_ipv4()).or(all.first()).ok_or_else(|| {
        let message = format!("host `{}`: the address `{}` is not known", host.name, host.address);
        Failure::not_applied(ErrorCode::Unreachable, message)
            .with_remedy("see the daemon's name service, or give the host's IP address in the account")
    })?;
    let private_address = host.private_address.unwrap_or(*address);
    Ok(Addresses { address: address.to_string(), private_address: private_address.to_string() })
}

/// Of the keys that were shown, the one that counts.
fn chosen<'a>(host: &Host, shown: &'a [PublicKey]) -> Result<&'a PublicKey, Failure> {
    let place = format!("{}:{}", host.address, host.port);
    let Some(first) = shown.first() else {
        let message = format!("host `{}`: nothing answers as SSH at {place}", host.name);
        return Err(Failure::not_applied(ErrorCode::Unreachable, message).with_remedy(UNREACHABLE));
    };
    match &host.fingerprint {
        None => Ok(first),
        Some(given) => shown.iter().find(|key| fingerprint(key) == *given).ok_or_else(|| {
            let shown: Vec<String> = shown.iter().map(fingerprint).collect();
            let message = format!("host `{}`: {place} shows the host key {}, not {given}", host.name, shown.join(", "));
            Failure::not_applied(ErrorCode::Preparation, message).permanent().with_remedy(OTHER_KEY)
        }),
    }
}

fn is_key(line: &str, given: &str) -> bool {
    PublicKey::from_openssh(line).is_ok_and(|key| fingerprint(&key) == *given)
}

const UNREACHABLE: &str = "see that the host runs, that sshd listens there, and that the daemon may reach it";
const OTHER_KEY: &str = "see who answers at that address; if the host was installed anew, add the account again with its new `hostKey=` \
    (`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the host)";

/// An error over SSH as that of a host that the user knows by name.
pub(crate) fn failure(host: &Host, error: SshError) -> Failure {
    let remedy = match &error {
        SshError::Connect { .. } | SshError::Silent { .. } => Some(UNREACHABLE),
        SshError::HostKey { .. } => Some(OTHER_KEY),
        SshError::Login { .. } => Some("put the account's user, key or password right, or the user's authorized_keys"),
        SshError::Lost { .. } | SshError::TimedOut { .. } | SshError::Exit { .. } | SshError::Key(_) => None,
    };
    let is_refused = matches!(error, SshError::Login { .. });
    let mut failure = Failure::from(error);
    failure.message = format!("host `{}`: {}", host.name, failure.message);
    if is_refused {
        failure.code = ErrorCode::Credentials;
    }
    if let Some(remedy) = remedy {
        failure = failure.with_remedy(remedy);
    }
    failure
}
