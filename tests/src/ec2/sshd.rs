//! An SSH server that only shows its host key, at every address of the loopback: a stand-in for machines that nobody
//! logs in to. A VPC inside 127.0.0.0/8 makes every instance's address one of its.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use anyhow::{Context, Result};
use russh::keys::PrivateKey;
use russh::server::{self, Server as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A server that ends with this value.
pub struct Sshd {
    port: u16,
    public_key: String,
    task: JoinHandle<()>,
}

impl Sshd {
    /// Starts one at a free port.
    ///
    /// # Errors
    /// If there is none.
    pub async fn start() -> Result<Self> {
        // Each server has a key of its own; nothing is protected by it.
        let seed: [u8; 32] = std::array::from_fn(|_| RandomState::new().hash_one(0).to_le_bytes()[0]);
        let pair = russh::keys::ssh_key::private::Ed25519Keypair::from_seed(&seed);
        let key = PrivateKey::new(russh::keys::ssh_key::private::KeypairData::from(pair), "")?;
        let public_key = key.public_key().to_openssh()?;
        let listener = TcpListener::bind("0.0.0.0:0").await.context("no free port")?;
        let port = listener.local_addr()?.port();
        let config = Arc::new(server::Config { keys: vec![key], ..server::Config::default() });
        let task = tokio::spawn(async move {
            let _ = Nobody.run_on_socket(config, &listener).await;
        });
        Ok(Self { port, public_key, task })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its host key as a console shows it.
    pub fn public_key(&self) -> &str {
        &self.public_key
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Lets nobody in.
#[derive(Clone)]
struct Nobody;

impl server::Server for Nobody {
    type Handler = Self;

    fn new_client(&mut self, _peer: Option<std::net::SocketAddr>) -> Self {
        self.clone()
    }
}

impl server::Handler for Nobody {
    type Error = russh::Error;
}

/// What cloud-init writes to the console of a machine with this host key.
pub fn console_with(public_key: &str) -> String {
    format!(
        "[    0.000000] Linux version 6.1.0\n<14>Nov 29 15:00:00 cloud-init: -----BEGIN SSH HOST KEY KEYS-----\n<14>Nov 29 \
         15:00:00 cloud-init: {public_key}\n<14>Nov 29 15:00:00 cloud-init: -----END SSH HOST KEY KEYS-----\n"
    )
}
