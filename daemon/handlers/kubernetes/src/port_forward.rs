//! Connections to ports of a service's containers.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use muster_engine::duplex::{Duplex, ForwardOrder};
use muster_engine::failure::Failure;
use muster_engine::member::Member;
use muster_protocol::{ErrorCode, StreamInput, StreamItem};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;

use crate::copies;
use crate::failures::Answer as _;
use crate::handler::KubernetesHandler;
use crate::marks::NAMESPACE;

/// The most that is read at once, below what one item may hold.
const PIECE: usize = 32 * 1024;
/// How many pieces may wait in each direction before the sender has to.
const QUEUE: usize = 16;
/// How long to wait for the reason why a connection ended.
const LAST_WORDS: Duration = Duration::from_secs(2);

impl KubernetesHandler {
    /// Connects to a port of any copy of a service that runs. One connection a call.
    pub(crate) async fn connect_to(&self, members: &[Member], order: &ForwardOrder) -> Result<Duplex, Failure> {
        let port = order.port;
        let clients = self.api(members).await?;
        let pod = copies::choose(self, &clients, &order.service, None).await?;
        let pods: Api<Pod> = Api::namespaced(clients.streams.clone(), NAMESPACE);
        let what = format!("connect to port {port} of {pod}");
        let mut forwarder = pods.portforward(&pod, &[port]).await.reading(&what)?;
        let stream = forwarder.take_stream(port);
        let error = forwarder.take_error(port);
        let (Some(stream), Some(error)) = (stream, error) else {
            return Err(Failure::not_applied(ErrorCode::Orchestrator, format!("{what}: no connection was made")));
        };
        let (input, mut given) = mpsc::channel(QUEUE);
        let (said, output) = mpsc::channel(QUEUE);
        let keep = Arc::clone(&clients);
        tokio::spawn(async move {
            let (mut from, mut to) = tokio::io::split(stream);
            let came = async {
                let mut piece = vec![0; PIECE];
                while let Ok(length @ 1..) = from.read(&mut piece).await {
                    if said.send(Ok(StreamItem::Bytes(piece[..length].to_vec()))).await.is_err() {
                        return;
                    }
                }
            };
            let went = async {
                while let Some(piece) = given.recv().await {
                    let written = match piece {
                        StreamInput::Bytes(bytes) => to.write_all(&bytes).await,
                        StreamInput::End => break,
                        // A connection has no terminal.
                        StreamInput::Resize(_) => Ok(()),
                    };
                    if written.is_err() {
                        break;
                    }
                }
                // Kubernetes' protocol has no end of one direction alone, and what was asked for may still be answered.
                std::future::pending::<()>().await;
            };
            tokio::select! {
                () = came => {}
                () = went => {}
                () = said.closed() => {}
            }
            // The forwarder ends with its stream, and only then is it sure that no failure comes.
            drop((from, to));
            if let Ok(Some(words)) = tokio::time::timeout(LAST_WORDS, error).await {
                let failure = Failure::not_applied(ErrorCode::Unreachable, format!("{what}: {}", words.trim()));
                // Nobody may be left to hear it.
                let _ = said.send(Err(failure)).await;
            }
            forwarder.abort();
            drop(keep);
        });
        let output = futures::stream::unfold(output, async |mut output| Some((output.recv().await?, output))).boxed();
        Ok(Duplex { output, input })
    }
}
