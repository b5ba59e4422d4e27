//! SSH to one machine: pinned host key, one connection for one preparation.

mod error;
mod exec;
mod lines;
mod login;
mod scan;

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use muster_engine::ledger::MachineAccess;
use russh::client::{self, AuthResult, Handle};
use russh::keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate};
use russh::{Disconnect, Preferred};
use tokio::time::{Instant, sleep, timeout_at};
use zeroize::Zeroizing;

use self::login::Elevation;
pub use error::SshError;
pub(crate) use exec::quoted;
pub use exec::{Command, CommandOutput};
pub use login::{Login, Proof};
pub use scan::{fingerprint, scan, shown};

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
    elevation: Elevation,
}

impl Session {
    /// Logs in with a cluster's key, trying again until sshd answers and takes it, for at most `patience`.
    /// A host key that is not the pinned one ends it at once: trying again would not make it safer.
    pub async fn open(access: &MachineAccess, login_key: &str, patience: Duration) -> Result<Self, SshError> {
        Self::open_with(access, &Login::with_cluster_key(login_key), patience).await
    }

    /// The same with any login.
    pub async fn open_with(access: &MachineAccess, login: &Login, patience: Duration) -> Result<Self, SshError> {
        let address = format!("{}:{}", access.address, access.ssh_port);
        let deadline = Instant::now() + patience;
        let mut pause = FIRST_PAUSE;
        let mut heard = None;
        loop {
            let limit = deadline.min(Instant::now() + TRY_LIMIT);
            let error = match timeout_at(limit, Self::log_in(access, &address, login)).await {
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
            let is_refused = !login.may_be_early && matches!(error, SshError::Login { .. });
            if is_refused || !error.may_pass() || Instant::now() + pause >= deadline {
                return Err(error);
            }
            tracing::trace!(%address, %error, "sshd does not let us in yet");
            heard = Some(error);
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn log_in(access: &MachineAccess, address: &str, login: &Login) -> Result<Self, SshError> {
        let pinned = PublicKey::from_openssh(&access.host_key).map_err(SshError::Key)?;
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

        let user = access.ssh_user.as_str();
        let answer = match &login.proof {
            Proof::Key(text) => {
                let key = PrivateKey::from_openssh(Zeroizing::new(text.expose().as_bytes().to_vec()))
                    .map_err(SshError::Key)?;
                handle.authenticate_publickey(user, PrivateKeyWithHashAlg::new(Arc::new(key), None)).await
            }
            Proof::Password(password) => handle.authenticate_password(user, password.expose()).await,
        };
        match answer.map_err(|source| SshError::Connect { address: address.to_owned(), source })? {
            AuthResult::Success => {
                let elevation = if user == "root" { Elevation::None } else { Elevation::Sudo };
                let mut session = Self { handle, address: address.to_owned(), elevation };
                session.see_whether_sudo_asks(user, login).await?;
                Ok(session)
            }
            AuthResult::Failure { .. } => Err(SshError::Login {
                address: address.to_owned(),
                user: access.ssh_user.clone(),
                whose: login.whose.to_owned(),
            }),
        }
    }

    /// sudo reads a password only if it asks for one; else the command would get it.
    async fn see_whether_sudo_asks(&mut self, user: &str, login: &Login) -> Result<(), SshError> {
        let Some(password) = login.sudo_password.as_ref().filter(|_| user != "root") else { return Ok(()) };
        let probe = |name| Command { name, line: "true", stdin: Bytes::new(), limit: TRY_LIMIT };
        if self.run(probe("sudo"), &|_| ()).await?.code != 0 {
            self.elevation = Elevation::SudoWith(password.clone());
        }
        Ok(())
    }

    /// Whether the user becomes root without a password: what a cluster's own steps need.
    pub fn is_root_without_a_password(&self) -> bool {
        match self.elevation {
            Elevation::None | Elevation::Sudo => true,
            Elevation::SudoWith(_) => false,
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
