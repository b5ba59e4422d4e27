//! Streams that take input: commands in containers and connections to ports.

use std::sync::Arc;

use muster_protocol::credit::Credit;
use muster_protocol::duplex::{MAX_CHUNK_BYTES, StreamInput};
use muster_protocol::hello::FEATURE_DUPLEX;
use muster_protocol::{ClientFrame, Error, ErrorCode, Name, Request, RequestId, StreamItem, codec};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::connection::Connection;
use crate::pending::StreamEvent;
use crate::subscription::Subscription;
use crate::watch::unsubscribed;
use crate::{Client, ClientError};

/// A stream that takes input. It ends with the connection; dropping it ends what is behind it.
pub struct Duplex {
    subscription: Subscription,
    over: CancellationToken,
    _over_on_drop: DropGuard,
}

/// The way in of a [`Duplex`]. Clones share it.
#[derive(Clone)]
pub struct DuplexInput {
    connection: Arc<Connection>,
    id: RequestId,
    credit: Credit,
    over: CancellationToken,
}

impl Client {
    /// Runs a command in a container of a service: in the one that is named, or in any that runs. The items are
    /// [`StreamItem::Exec`], and the last one tells the exit code.
    pub async fn container_exec(
        &self,
        cluster: &Name,
        service: &Name,
        container: Option<String>,
        command: Vec<String>,
        tty: bool,
    ) -> Result<Duplex, ClientError> {
        let (cluster, service) = (cluster.clone(), service.clone());
        self.duplex(Request::ContainerExec { cluster, service, container, command, tty }).await
    }

    /// Connects to a port of a service. The items are [`StreamItem::Bytes`].
    pub async fn service_port_forward(&self, cluster: &Name, service: &Name, port: u16) -> Result<Duplex, ClientError> {
        let (cluster, service) = (cluster.clone(), service.clone());
        self.duplex(Request::ServicePortForward { cluster, service, port }).await
    }

    /// Asks for any stream that takes input. It is asked for once: what it does is not safe to repeat.
    pub async fn duplex(&self, request: Request) -> Result<Duplex, ClientError> {
        let connection = self.connection().await?;
        if connection.agreed.features & FEATURE_DUPLEX == 0 {
            let message = format!("{} has no streams that take input", connection.agreed.peer.build);
            return Err(Error::new(ErrorCode::Unsupported, message)
                .with_remedy("use a daemon of this client's release")
                .into());
        }
        let subscribed = connection.subscribe(self.asker(), request, self.window()).await;
        let subscription = subscribed.map_err(unsubscribed)?;
        let over = CancellationToken::new();
        Ok(Duplex { subscription, _over_on_drop: over.clone().drop_guard(), over })
    }
}

impl Duplex {
    /// The next item; none at the end.
    pub async fn next(&mut self) -> Result<Option<StreamItem>, ClientError> {
        let event = self.subscription.next().await;
        match event {
            Ok(StreamEvent::Item(item)) => Ok(Some(item)),
            Ok(StreamEvent::End(ended)) => {
                self.over.cancel();
                ended.map(|()| None).map_err(ClientError::from)
            }
            Err(lost) => {
                self.over.cancel();
                Err(lost.into_error(false))
            }
        }
    }

    /// The way in.
    pub fn input(&self) -> DuplexInput {
        let (connection, id, credit) = self.subscription.input();
        DuplexInput { connection, id, credit, over: self.over.clone() }
    }
}

impl DuplexInput {
    /// Sends one item as soon as the daemon takes it. False if the stream is over, so that nobody hears it.
    pub async fn send(&self, item: StreamInput) -> bool {
        tokio::select! {
            biased;
            () = self.over.cancelled() => return false,
            () = self.credit.take() => {}
        }
        // An item of at most MAX_CHUNK_BYTES always fits into a frame.
        let Ok(body) = codec::encode(&ClientFrame::item(self.id, item)) else { return false };
        self.connection.say(&body, None);
        true
    }

    /// Sends bytes, in as many items as they need.
    pub async fn send_bytes(&self, bytes: &[u8]) -> bool {
        for chunk in bytes.chunks(MAX_CHUNK_BYTES) {
            if !self.send(StreamInput::Bytes(chunk.to_vec())).await {
                return false;
            }
        }
        true
    }
}
