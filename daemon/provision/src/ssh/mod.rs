//! SSH to one machine: pinned host key, keys only, one connection for one preparation.

mod error;
mod exec;
mod lines;

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use muster_engine::ledger::MachineAccess;
use russh::client::{self, AuthResult, Handle};
use russh::keys::{HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate};
use russh::{Disconnect, Preferred};
use tokio::time::{Instant, sleep, timeout_at};
use zeroize::Zeroizing;

pub use error::SshError;
pub(crate) use exec::quoted;
pub use exec::{Command, Outcome};

/// One try to log in takes no longer; a machine that is booting may accept the connection and then say nothing.
const TRY_LIMIT: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// A peer that is silent this often in a row is gone.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_LIMIT: usize = 3;

/// A connection to one machine, logged in.
pub struct Session {
    handle: Handle<PinnedHostKey>,
    address: String,
    needs_sudo: bool,
}

impl Session {
    /// Logs in, trying again until sshd answers and takes the key, for at most `patience`.
    /// A host key that is not the pinned one ends it at once: trying again would not make it safer.
    pub async fn open(access: &MachineAccess, login_key: &str, patience: Duration) -> Result<Self, SshError> {
        let address = format!("{}:{}", access.address, access.ssh_port);
        let deadline = Instant::now() + patience;
        let mut pause = FIRST_PAUSE;
        let mut heard = None;
        loop {
            let limit = deadline.min(Instant::now() + TRY_LIMIT);
            let error = match timeout_at(limit, Self::log_in(access, &address, login_key)).await {
                Ok(Ok(session)) => return Ok(session),
                Ok(Err(error)) => error,
                // The last try may have had no time to be answered: what the one before it was told says more.
                Err(_)
                    if limit == deadline
                        && let Some(heard) = heard =>
                {
                    return Err(heard);
                }
                Err(_) => SshError::Silent { address: address.clone() },
            };
            if !error.may_pass() || Instant::now() + pause >= deadline {
                return Err(error);
            }
            tracing::trace!(%address, %error, "sshd does not let us in yet");
            heard = Some(error);
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn log_in(access: &MachineAccess, address: &str, login_key: &str) -> Result<Self, SshError> {
        let pinned = PublicKey::from_openssh(&access.host_key).map_err(SshError::Key)?;
        let login_key =
            PrivateKey::from_openssh(Zeroizing::new(login_key.as_bytes().to_vec())).map_err(SshError::Key)?;
        let config = client::Config {
            // A server with several host keys must show the one that we know.
            preferred: Preferred { key: Cow::Owned(vec![pinned.algorithm()]), ..Preferred::default() },
            keepalive_interval: Some(KEEPALIVE_INTERVAL),
            keepalive_max: KEEPALIVE_LIMIT,
            nodelay: true,
            ..client::Config::default()
        };
        let refused = Arc::new(OnceLock::new());
        let handler = PinnedHostKey { pinned: pinned.clone(), refused: Arc::clone(&refused) };
        let connected = client::connect(Arc::new(config), (access.address.as_str(), access.ssh_port), handler).await;
        let mut handle = connected.map_err(|source| match refused.get() {
            Some(offered) => SshError::HostKey {
                address: address.to_owned(),
                expected: fingerprint(&pinned),
                offered: String::clone(offered),
            },
            None => SshError::Connect { address: address.to_owned(), source },
        })?;

        let key = PrivateKeyWithHashAlg::new(Arc::new(login_key), None);
        let answer = handle.authenticate_publickey(access.ssh_user.as_str(), key).await;
        match answer.map_err(|source| SshError::Connect { address: address.to_owned(), source })? {
            AuthResult::Success => {
                let needs_sudo = access.ssh_user != "root";
                Ok(Self { handle, address: address.to_owned(), needs_sudo })
            }
            AuthResult::Failure { .. } => {
                Err(SshError::Login { address: address.to_owned(), user: access.ssh_user.clone() })
            }
        }
    }

    /// Ends the connection in order. Dropping the session ends it too.
    pub async fn close(self) {
        // The machine notices either way; there is nothing to do about an error here.
        let _ = self.handle.disconnect(Disconnect::ByApplication, "", "en").await;
    }
}

/// Accepts exactly one host key.
struct PinnedHostKey {
    pinned: PublicKey,
    /// The fingerprint of the key that was offered instead.
    refused: Arc<OnceLock<String>>,
}

impl client::Handler for PinnedHostKey {
    type Error = russh::Error;

    async fn check_server_key(&mut self, offered: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        let offered = offered.public_key();
        let same = offered.key_data() == self.pinned.key_data();
        if !same {
            // Set at most once a connection; a second refusal says nothing new.
            let _ = self.refused.set(fingerprint(&offered));
        }
        Ok(same)
    }
}

fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}
