//! The daemon, as the bridge reaches it: a few connections of the client library, shared by all callers.
//!
//! The daemon takes so many requests at once on one connection, so requests are spread over several and wait here for
//! room. Streams that are long have connections of their own.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::StreamExt;
use muster_client::{Client, ClientError, Duplex, ItemStream, default_socket};
use muster_protocol::{Asker, Request, Response};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};

/// Fewer than the daemon's default limit of 64 a connection.
const REQUESTS_A_CONNECTION: usize = 60;
/// How long a lost connection is tried again before the caller is told.
const RECONNECT_FOR: Duration = Duration::from_secs(3);

/// The daemon behind the bridge.
pub struct Daemon {
    socket: PathBuf,
    calls: Vec<Line>,
    streams: Vec<Line>,
    next: AtomicUsize,
}

/// One connection, made when it is first needed.
struct Line {
    client: Mutex<Option<Client>>,
    room: Arc<Semaphore>,
}

impl Line {
    fn new() -> Self {
        Self { client: Mutex::new(None), room: Arc::new(Semaphore::new(REQUESTS_A_CONNECTION)) }
    }
}

impl Daemon {
    /// The daemon at this socket. It need not be there yet.
    pub fn new(socket: Option<PathBuf>, connections: usize, streams: usize) -> Self {
        let lines = |number: usize| (0..number.max(1)).map(|_| Line::new()).collect();
        let stream_connections = streams.div_ceil(REQUESTS_A_CONNECTION);
        Self {
            socket: socket.unwrap_or_else(default_socket),
            calls: lines(connections),
            streams: lines(stream_connections),
            next: AtomicUsize::new(0),
        }
    }

    /// Makes a request that has one answer, for somebody or for the bridge itself.
    ///
    /// # Errors
    /// As the client library has them.
    pub async fn ask(&self, whom: Option<Asker>, request: Request) -> Result<Response, ClientError> {
        let (client, _room) = line(&self.socket, &self.calls, self.next.fetch_add(1, Ordering::Relaxed)).await?;
        speaking_for(client, whom).request(request).await
    }

    /// Opens a stream; `open` is given the client. The stream keeps its room on the connection until it is dropped.
    ///
    /// # Errors
    /// If the daemon cannot be reached. What goes wrong later is an item of the stream.
    pub async fn stream<T: Send + 'static>(
        &self,
        whom: Option<Asker>,
        open: impl FnOnce(&Client) -> ItemStream<T>,
    ) -> Result<ItemStream<T>, ClientError> {
        let (client, room) = line(&self.socket, &self.streams, 0).await?;
        let items = open(&speaking_for(client, whom));
        Ok(items
            .map(move |item| {
                let _kept = &room;
                item
            })
            .boxed())
    }
}

impl Daemon {
    /// Opens a stream that takes input, for somebody. Its room on the connection is to be kept as long as it is.
    ///
    /// # Errors
    /// As the client library has them.
    pub async fn duplex(&self, whom: Asker, request: Request) -> Result<(Duplex, OwnedSemaphorePermit), ClientError> {
        let (client, room) = line(&self.socket, &self.streams, 0).await?;
        Ok((speaking_for(client, Some(whom)).duplex(request).await?, room))
    }
}

/// The client that speaks for somebody; the daemon keeps name and address with what is asked for.
fn speaking_for(client: Client, whom: Option<Asker>) -> Client {
    match whom {
        Some(Asker { principal, address }) => {
            let client = client.on_behalf_of(principal);
            match address {
                Some(address) => client.from_address(address),
                None => client,
            }
        }
        None => client,
    }
}

/// A connection with room for one more request: the first that has it, from this one on.
async fn line(socket: &Path, lines: &[Line], from: usize) -> Result<(Client, OwnedSemaphorePermit), ClientError> {
    let all = (0..lines.len()).map(|step| &lines[(from + step) % lines.len()]);
    let free = all.filter_map(|line| Arc::clone(&line.room).try_acquire_owned().ok().map(|room| (line, room)));
    let (line, room) = match { free }.next() {
        Some(found) => found,
        None => {
            let line = &lines[from % lines.len()];
            #[expect(clippy::expect_used, reason = "a semaphore that nobody closes gives a permit in the end")]
            let room = Arc::clone(&line.room).acquire_owned().await.expect("the semaphore is never closed");
            (line, room)
        }
    };
    let mut client = line.client.lock().await;
    if let Some(client) = &*client {
        return Ok((client.clone(), room));
    }
    let program = concat!("muster-bridge ", env!("CARGO_PKG_VERSION"));
    let builder = Client::builder().socket(socket).program(program).reconnect_for(RECONNECT_FOR);
    let connected = builder.connect().await?;
    *client = Some(connected.clone());
    Ok((connected, room))
}
