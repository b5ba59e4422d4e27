//! An SSH server that plays a few commands: `fail`, `linger`, `lag`, `vanish`, `hang`, `talk`. Any other reads its input to the end.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use muster_engine::ledger::MachineAccess;
use muster_provision::ssh_key;
use russh::keys::PrivateKey;
use russh::server::{self, Auth, ChannelOpenHandle, Handle, Msg, VerifiedPublicKey};
use russh::{Channel, ChannelId};
use tokio::net::TcpListener;

/// How many lines of 60 characters `talk` says: more than any window or buffer on the way takes at once.
pub const TALK_LINES: usize = 100_000;

/// The password of every user; sudo asks for it.
pub const PASSWORD: &str = "a password";

pub struct Server {
    port: u16,
    host_key: PrivateKey,
    login_key_text: String,
    state: Arc<ServerState>,
}

struct ServerState {
    login_key: PrivateKey,
    logins: AtomicUsize,
    passwords: AtomicUsize,
    connections: AtomicUsize,
    last_command: Mutex<(String, Vec<u8>)>,
}

impl Server {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self::prepare(listener.local_addr().unwrap().port());
        server.serve(listener);
        server
    }

    /// A server that does not serve yet.
    pub fn prepare(port: u16) -> Self {
        let login_key = ssh_key::generate("login").unwrap();
        let login_key_text = ssh_key::private_text(&login_key).unwrap().expose().to_owned();
        let state = ServerState {
            login_key,
            logins: AtomicUsize::new(0),
            passwords: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            last_command: Mutex::default(),
        };
        Self { port, host_key: ssh_key::generate("host").unwrap(), login_key_text, state: Arc::new(state) }
    }

    pub fn serve(&self, listener: TcpListener) {
        let config = server::Config {
            keys: vec![self.host_key.clone()],
            auth_rejection_time: std::time::Duration::ZERO,
            ..server::Config::default()
        };
        let (config, state) = (Arc::new(config), Arc::clone(&self.state));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let connection = Connection { state: Arc::clone(&state), inputs: HashMap::new() };
                let (config, state) = (Arc::clone(&config), Arc::clone(&state));
                tokio::spawn(async move {
                    state.connections.fetch_add(1, Ordering::SeqCst);
                    if let Ok(session) = server::run_stream(config, stream, connection).await {
                        let _ended = session.await;
                    }
                    state.connections.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
    }

    pub fn access(&self) -> MachineAccess {
        MachineAccess {
            address: "127.0.0.1".to_owned(),
            private_address: "127.0.0.1".to_owned(),
            ssh_port: self.port,
            ssh_user: "root".to_owned(),
            host_key: ssh_key::public_text(&self.host_key).unwrap(),
        }
    }

    pub fn login_key(&self) -> &str {
        &self.login_key_text
    }

    pub fn logins(&self) -> usize {
        self.state.logins.load(Ordering::SeqCst)
    }

    /// How often a password was tried.
    pub fn passwords(&self) -> usize {
        self.state.passwords.load(Ordering::SeqCst)
    }

    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// The last command that read its input, and that input.
    pub fn last_command(&self) -> (String, Vec<u8>) {
        self.state.last_command.lock().unwrap().clone()
    }
}

struct Connection {
    state: Arc<ServerState>,
    inputs: HashMap<ChannelId, (String, Vec<u8>)>,
}

impl server::Handler for Connection {
    type Error = russh::Error;

    async fn auth_publickey(&mut self, _user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        if key.public_key.key_data() != self.state.login_key.public_key().key_data() {
            return Ok(Auth::reject());
        }
        self.state.logins.fetch_add(1, Ordering::SeqCst);
        Ok(Auth::Accept)
    }

    async fn auth_password(&mut self, _user: &str, password: &str) -> Result<Auth, Self::Error> {
        self.state.passwords.fetch_add(1, Ordering::SeqCst);
        if password == PASSWORD { Ok(Auth::Accept) } else { Ok(Auth::reject()) }
    }

    async fn channel_open_session(
        &mut self,
        _channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut server::Session,
    ) -> Result<(), Self::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        session: &mut server::Session,
    ) -> Result<(), Self::Error> {
        session.channel_success(channel)?;
        let handle = session.handle();
        match std::str::from_utf8(data).unwrap() {
            "fail" => tokio::spawn(async move {
                handle.data(channel, "first words\n").await.unwrap();
                handle.extended_data(channel, 1, "last words").await.unwrap();
                end(&handle, channel, 7).await;
            }),
            "sudo -n true" => tokio::spawn(async move { end(&handle, channel, 1).await }),
            "linger" => tokio::spawn(async move {
                // A service that it started keeps the streams open.
                handle.exit_status_request(channel, 0).await.unwrap();
            }),
            "lag" => tokio::spawn(async move {
                handle.exit_status_request(channel, 0).await.unwrap();
                // A machine that is busy, so that the end of the command overtakes its words.
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                handle.data(channel, "late words\n").await.unwrap();
                handle.eof(channel).await.unwrap();
                handle.close(channel).await.unwrap();
            }),
            "vanish" => return Err(russh::Error::Disconnect),
            "hang" => return Ok(()),
            "talk" => tokio::spawn(async move {
                for number in 0..TALK_LINES {
                    handle.data(channel, format!("{number:060}\n")).await.unwrap();
                }
                end(&handle, channel, 0).await;
            }),
            line => {
                self.inputs.insert(channel, (line.to_owned(), Vec::new()));
                return Ok(());
            }
        };
        Ok(())
    }

    async fn data(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        _session: &mut server::Session,
    ) -> Result<(), Self::Error> {
        if let Some((_, input)) = self.inputs.get_mut(&channel) {
            input.extend_from_slice(data);
        }
        Ok(())
    }

    async fn channel_eof(&mut self, channel: ChannelId, session: &mut server::Session) -> Result<(), Self::Error> {
        if let Some(command) = self.inputs.remove(&channel) {
            *self.state.last_command.lock().unwrap() = command;
            let handle = session.handle();
            tokio::spawn(async move { end(&handle, channel, 0).await });
        }
        Ok(())
    }
}

async fn end(handle: &Handle, channel: ChannelId, code: u32) {
    handle.exit_status_request(channel, code).await.unwrap();
    handle.eof(channel).await.unwrap();
    handle.close(channel).await.unwrap();
}
