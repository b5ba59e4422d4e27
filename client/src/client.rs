//! The client: one connection at a time, made anew when it is lost.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use muster_protocol::request::IdempotencyKey;
use muster_protocol::{Asker, Error, ErrorCode, Principal, Request, Response, StreamItem};
use tokio::sync::Mutex;

use crate::call::CallError;
use crate::connection::{Address, Connection};
use crate::error::IDEMPOTENCY_KEY;
use crate::passing::{is_of_daemon, is_passing, may_pass};
use crate::patience::Patience;
use crate::repeat::{Repeat, make_repeatable};
use crate::watch::UntilLost;
use crate::{ClientError, ItemStream, default_socket};

/// Talks to one daemon. Clones share the connection.
#[derive(Clone)]
pub struct Client {
    shared: Arc<SharedConnection>,
    asker: Option<Arc<Asker>>,
}

struct SharedConnection {
    address: Address,
    reconnect_for: Duration,
    window: u32,
    /// Held while connecting, so that many calls make one connection.
    current: Mutex<Option<Arc<Connection>>>,
}

/// How to connect; made by [`Client::builder`].
#[derive(Clone, Debug)]
pub struct Builder {
    socket: Option<PathBuf>,
    program: String,
    connect_timeout: Duration,
    reconnect_for: Duration,
    window: u32,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            socket: None,
            program: concat!("muster-client ", env!("CARGO_PKG_VERSION")).to_owned(),
            connect_timeout: Duration::from_secs(5),
            reconnect_for: Duration::from_secs(10),
            window: 64,
        }
    }
}

impl Builder {
    /// The daemon's socket; [`default_socket`] if not said.
    #[must_use]
    pub fn socket(mut self, socket: impl Into<PathBuf>) -> Self {
        self.socket = Some(socket.into());
        self
    }

    /// How this program introduces itself to the daemon, for example `muster 0.1.0`. At most 63 bytes are sent.
    #[must_use]
    pub fn program(mut self, program: impl Into<String>) -> Self {
        self.program = program.into();
        self
    }

    /// How long one try to connect may take. 5 seconds if not said.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long to go on trying to get back a lost connection. 10 seconds if not said; zero is not at all.
    #[must_use]
    pub fn reconnect_for(mut self, duration: Duration) -> Self {
        self.reconnect_for = duration;
        self
    }

    /// How many items of a stream may be on their way or wait here for the one who takes them. 64 if not said.
    #[must_use]
    pub fn window(mut self, items: u32) -> Self {
        self.window = items;
        self
    }

    /// Connects. A daemon that is not there is told at once; one that goes away while it greets is waited for as after a
    /// lost connection.
    pub async fn connect(self) -> Result<Client, ClientError> {
        let Self { socket, program, connect_timeout, reconnect_for, window } = self;
        let address = Address { socket: socket.unwrap_or_else(default_socket), program, connect_timeout };
        let mut patience = Patience::new(reconnect_for);
        let mut was_there = false;
        let connection = loop {
            let error = match Connection::open(&address).await {
                Ok(connection) => break connection,
                Err(error) => error,
            };
            was_there |= is_broken_off(&error);
            if !was_there || !may_pass(&error) || !patience.pause().await {
                return Err(error);
            }
        };
        let shared = SharedConnection { address, reconnect_for, window, current: Mutex::new(Some(connection)) };
        Ok(Client { shared: Arc::new(shared), asker: None })
    }
}

impl Client {
    /// Connects to the daemon at this socket.
    pub async fn connect(socket: impl Into<PathBuf>) -> Result<Self, ClientError> {
        Self::builder().socket(socket).connect().await
    }

    /// Says more about how to connect.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A client over the same connection whose requests are made on behalf of somebody else. The daemon refuses them with
    /// `permission-denied` unless its configuration trusts the user of this process (`[access] trusted`).
    #[must_use]
    pub fn on_behalf_of(&self, principal: Principal) -> Self {
        Self { shared: Arc::clone(&self.shared), asker: Some(Arc::new(Asker { principal, address: None })) }
    }

    /// The same, and the daemon's audit trail tells from which network address whoever it speaks for has asked. Without
    /// [`Client::on_behalf_of`] it changes nothing.
    #[must_use]
    pub fn from_address(&self, address: IpAddr) -> Self {
        let asker = self.asker.as_deref().map(|asker| Asker { address: Some(address), ..asker.clone() });
        Self { shared: Arc::clone(&self.shared), asker: asker.map(Arc::new) }
    }

    pub(crate) fn asker(&self) -> Option<&Asker> {
        self.asker.as_deref()
    }

    /// Makes any request that is answered with one answer, as the typed calls do. See the crate's page for what
    /// happens when the connection is lost.
    pub async fn request(&self, mut request: Request) -> Result<Response, ClientError> {
        if request.is_stream() {
            return Err(wrong_call(&request, "a stream"));
        }
        let repeat = make_repeatable(&mut request);
        let key = request.idempotency_key_mut().and_then(|key| key.clone());
        let mut maybe_applied = false;
        let mut patience = self.patience();
        loop {
            let error = match self.connection().await.inspect(|_| patience.connected()) {
                Err(error) => error,
                Ok(connection) => match connection.call(self.asker(), request.clone()).await {
                    Ok(Ok(response)) => return Ok(response),
                    Ok(Err(error)) => {
                        maybe_applied |= error.is_maybe_applied();
                        if maybe_applied && is_before_key(&error) {
                            return Err(with_key(perhaps_applied(error.into()), key));
                        }
                        if !is_passing(&error) || (repeat == Repeat::Never && maybe_applied) {
                            return Err(with_key(error.into(), key));
                        }
                        if is_of_daemon(&error) {
                            self.discard(&connection).await;
                        }
                        error.into()
                    }
                    Err(CallError::Unsendable(error)) => return Err(error),
                    Err(CallError::NotSent(lost)) => lost.into_error(maybe_applied),
                    Err(CallError::Unanswered(lost)) => {
                        maybe_applied = repeat != Repeat::Read;
                        if repeat == Repeat::Never {
                            return Err(lost.into_error(maybe_applied));
                        }
                        lost.into_error(maybe_applied)
                    }
                },
            };
            if !may_pass(&error) || !patience.pause().await {
                return Err(if maybe_applied { with_key(perhaps_applied(error), key) } else { error });
            }
        }
    }

    /// Asks for any stream. Once it has begun it does not survive a lost connection, as those of the typed calls for
    /// operations and events do.
    pub fn stream(&self, request: Request) -> ItemStream<StreamItem> {
        if request.is_duplex() {
            let error = wrong_call(&request, "a stream that takes input");
            return stream::iter([Err(error)]).boxed();
        }
        if !request.is_stream() {
            let error = wrong_call(&request, "one answer");
            return stream::iter([Err(error)]).boxed();
        }
        self.watch(UntilLost { request, has_begun: false }).boxed()
    }

    /// The present connection, or a new one. Tries once.
    pub(crate) async fn connection(&self) -> Result<Arc<Connection>, ClientError> {
        let mut current = self.shared.current.lock().await;
        if let Some(connection) = &*current
            && connection.pending.lost().is_none()
        {
            return Ok(Arc::clone(connection));
        }
        *current = None;
        let connection = Connection::open(&self.shared.address).await?;
        *current = Some(Arc::clone(&connection));
        Ok(connection)
    }

    /// Later calls use another connection than this one, whose daemon is about to go.
    pub(crate) async fn discard(&self, connection: &Arc<Connection>) {
        let mut current = self.shared.current.lock().await;
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, connection)) {
            *current = None;
        }
    }

    pub(crate) fn patience(&self) -> Patience {
        Patience::new(self.shared.reconnect_for)
    }

    pub(crate) fn window(&self) -> u32 {
        self.shared.window
    }
}

/// Whether the daemon may have refused before it looked whether it has made the change already.
fn is_before_key(error: &Error) -> bool {
    matches!(error.code, ErrorCode::Busy | ErrorCode::Store)
}

/// Whether somebody accepted the connection and went away before the handshake was done.
fn is_broken_off(error: &ClientError) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error, ClientError::Connect { source, .. }
        if matches!(source.kind(), BrokenPipe | ConnectionReset | UnexpectedEof))
}

/// A try of this change may have been heard, and the later tries failed in this way.
fn perhaps_applied(error: ClientError) -> ClientError {
    match error {
        ClientError::Lost { .. } | ClientError::Protocol { .. } => error,
        ClientError::Remote(error) if error.is_maybe_applied() => error.into(),
        ClientError::Connect { .. }
        | ClientError::Handshake { .. }
        | ClientError::Refused { .. }
        | ClientError::VersionMismatch { .. }
        | ClientError::TooLarge { .. }
        | ClientError::Encode { .. }
        | ClientError::Remote(_) => {
            let reason = format!("asking again failed: {error}");
            ClientError::Lost { maybe_applied: true, idempotency_key: None, reason }
        }
    }
}

/// Tells the key of a change that may have been made: with it, it can be asked for again. A key that the library chose
/// is known to nobody else.
fn with_key(mut error: ClientError, key: Option<IdempotencyKey>) -> ClientError {
    if let ClientError::Lost { maybe_applied: true, idempotency_key, .. } = &mut error {
        *idempotency_key = key;
    } else if let (ClientError::Remote(remote), Some(key)) = (&mut error, key)
        && remote.is_maybe_applied()
    {
        remote.details.insert(IDEMPOTENCY_KEY.to_owned(), key);
    }
    error
}

fn wrong_call(request: &Request, answer: &str) -> ClientError {
    let message = format!("{} is answered with {answer}", request.operation_id());
    Error::invalid("request", message).into()
}
