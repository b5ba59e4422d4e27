//! A server that does exactly what a test says, over a real Unix socket.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test code, though not in a test function")]

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use futures::SinkExt;
use muster_client::protocol::hello::{FEATURES, Hello, VERSIONS, VersionRange};
use muster_client::protocol::model::event::{Event, EventKind};
use muster_client::protocol::model::operation::{OperationInfo, OperationKind, OperationPhase};
use muster_client::protocol::model::service::{LogLine, LogSource, ServiceInfo, ServicePhase};
use muster_client::protocol::stream::{FrameReader, length_codec};
use muster_client::protocol::{
    ClientBody, ClientFrame, ClusterId, Name, OperationId, Principal, Request, RequestId, Response, ServerFrame,
    ServiceId, StreamItem, Timestamp, codec, handshake,
};
use muster_client::{Builder, Client};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::codec::{FramedWrite, LengthDelimitedCodec};

/// Longer than anything here takes; a test that waits so long has failed.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Fails the test if the future does not end in time.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.unwrap_or_else(|_| panic!("waited too long for {what}"))
}

/// A socket on which the test accepts connections.
pub struct Server {
    pub socket: PathBuf,
    listener: UnixListener,
    _folder: TempDir,
}

impl Server {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("muster.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        Self { socket, listener, _folder: folder }
    }

    /// A connection before the handshake.
    pub async fn accept_raw(&self) -> UnixStream {
        soon("a connection", self.listener.accept()).await.unwrap().0
    }

    /// A connection behind the handshake.
    pub async fn accept(&self) -> Peer {
        let mut stream = self.accept_raw().await;
        handshake::accept(&mut stream, &hello(VERSIONS), DEADLINE).await.unwrap();
        let (read_half, write_half) = stream.into_split();
        Peer { reader: FrameReader::new(read_half, DEADLINE), writer: FramedWrite::new(write_half, length_codec()) }
    }

    pub fn builder(&self) -> Builder {
        Client::builder().socket(&self.socket)
    }

    /// A client of this builder and the server's end of its connection.
    pub async fn connect(&self, builder: Builder) -> (Client, Peer) {
        let (client, peer) = tokio::join!(builder.connect(), self.accept());
        (client.unwrap(), peer)
    }

    /// Lets nearly no connections wait to be accepted.
    pub fn shrink_queue(&self) {
        rustix::net::listen(&self.listener, 0).unwrap();
    }

    /// From now on nobody can connect.
    pub fn stop(self) {
        std::fs::remove_file(&self.socket).unwrap();
    }
}

pub fn hello(versions: VersionRange) -> Hello {
    Hello { versions, features: FEATURES, build: "musterd of the test".to_owned() }
}

/// The server's end of one connection.
pub struct Peer {
    reader: FrameReader<OwnedReadHalf>,
    writer: FramedWrite<OwnedWriteHalf, LengthDelimitedCodec>,
}

impl Peer {
    /// The client's next frame; none if it has closed the connection.
    pub async fn next(&mut self) -> Option<ClientFrame> {
        soon("a frame of the client", self.reader.next()).await.unwrap()
    }

    /// The client's next frame, which must be a request.
    pub async fn request(&mut self) -> (RequestId, Request) {
        let frame = self.next().await.expect("the client closed the connection");
        let ClientBody::Request { request, .. } = frame.body else { panic!("expected a request, got {frame:?}") };
        (frame.id, *request)
    }

    /// The client's next two frames, which must ask for a stream.
    pub async fn stream_request(&mut self) -> (RequestId, Request, u32) {
        let (id, request) = self.request().await;
        let frame = self.next().await.expect("the client closed the connection");
        let ClientBody::Credit(credit) = frame.body else { panic!("expected credit, got {frame:?}") };
        assert_eq!(frame.id, id);
        (id, request, credit)
    }

    pub async fn send(&mut self, frame: ServerFrame) {
        self.send_bytes(codec::encode(&frame).unwrap()).await;
    }

    pub async fn send_bytes(&mut self, body: bytes::Bytes) {
        soon("the client to read", self.writer.send(body)).await.unwrap();
    }

    pub async fn answer(&mut self, id: RequestId, response: Response) {
        self.send(ServerFrame::answer(id, Ok(response))).await;
    }

    pub async fn item(&mut self, id: RequestId, item: StreamItem) {
        self.send(ServerFrame::item(id, item)).await;
    }

    /// Bytes that are no frame, and then the end of the connection.
    pub async fn send_raw_and_close(self, bytes: &[u8]) {
        let mut io = self.writer.into_inner();
        io.write_all(bytes).await.unwrap();
    }
}

pub fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub fn operation(id: OperationId, phase: OperationPhase, steps_done: u32) -> OperationInfo {
    OperationInfo {
        id,
        kind: OperationKind::ClusterCreate,
        cluster_id: ClusterId::from_u128(1),
        cluster: "demo".parse().unwrap(),
        services: Vec::new(),
        phase,
        requested_by: Principal::user("root"),
        created_at: Timestamp::from_millis(1),
        deadline: Timestamp::from_millis(2),
        ended_at: phase.is_ended().then_some(Timestamp::from_millis(2)),
        steps_done,
        steps_total: 9,
        message: "working".to_owned(),
        cause: None,
    }
}

pub fn service() -> ServiceInfo {
    let spec = r#"{"name": "web", "image": "nginx:1", "env": {"A": "1"}, "secrets": [{"name": "token"}]}"#;
    ServiceInfo {
        id: ServiceId::from_u128(3),
        cluster_id: ClusterId::from_u128(1),
        cluster: name("demo"),
        spec: serde_json::from_str(spec).unwrap(),
        template: None,
        generation: 1,
        phase: ServicePhase::Running,
        ready: 1,
        wanted: 1,
        digest: None,
        image_health: None,
        endpoints: Vec::new(),
        created_at: Timestamp::from_millis(1),
        updated_at: Timestamp::from_millis(1),
        cause: None,
    }
}

pub fn event(number: u64) -> Event {
    Event {
        number,
        at: Timestamp::from_millis(number),
        kind: EventKind::Daemon,
        cluster_id: None,
        cluster: None,
        operation: None,
        service: None,
        who: None,
        message: format!("event {number}"),
        cause: None,
    }
}

pub fn log_item(text: &str) -> StreamItem {
    let (container, name, text) = ("c1".to_owned(), "web.1".to_owned(), text.to_owned());
    StreamItem::Log(LogLine { container, name, source: LogSource::Stdout, at: None, text })
}

pub fn event_item(number: u64) -> StreamItem {
    StreamItem::Event(event(number))
}
