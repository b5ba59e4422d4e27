//! Connections to ports that a service publishes. Swarm gives no other way to a container from outside its networks.

use std::sync::Arc;
use std::time::Duration;

use bollard::models::{
    EndpointPortConfig, EndpointPortConfigProtocolEnum, EndpointPortConfigPublishModeEnum, TaskState,
};
use futures::StreamExt as _;
use muster_engine::context::ClusterContext;
use muster_engine::duplex::{Duplex, ForwardOrder};
use muster_engine::failure::Failure;
use muster_engine::member::Member;
use muster_protocol::duplex::MAX_CHUNK_BYTES;
use muster_protocol::{ErrorCode, StreamInput, StreamItem};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;

use crate::connect::Engine;
use crate::managers::Managers;
use crate::membership::nodes;
use crate::observe::tasks;
use crate::services;

const QUEUE: usize = 16;
/// A machine that lives answers in milliseconds.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Connects to a port of the service, over a machine that publishes it.
pub(crate) async fn port_forward(
    cluster: &Arc<ClusterContext>,
    managers: &Managers,
    members: &[Member],
    order: &ForwardOrder,
) -> Result<Duplex, Failure> {
    let manager = managers.find(members).await?;
    let (published, members) = publishers(cluster, &manager.engine, members, order).await?;
    for member in members {
        let connecting = TcpStream::connect((member.access.address.as_str(), published));
        if let Ok(Ok(connection)) = tokio::time::timeout(CONNECT_LIMIT, connecting).await {
            return Ok(duplex(connection));
        }
    }
    let message = format!("no machine answers at port {published}, which service `{}` publishes", order.service);
    Err(Failure::not_applied(ErrorCode::Unreachable, message))
}

/// The published port, and the machines that answer there.
async fn publishers<'a>(
    cluster: &ClusterContext,
    manager: &Engine,
    members: &'a [Member],
    order: &ForwardOrder,
) -> Result<(u16, Vec<&'a Member>), Failure> {
    let ForwardOrder { service: name, port } = order;
    let service = services::find_ours(cluster, manager, name).await?.ok_or_else(|| {
        Failure::not_applied(ErrorCode::NotFound, format!("the swarm has no service `{name}` of this cluster"))
            .permanent()
    })?;
    let id = service.id.unwrap_or_default();
    let ports = service.endpoint.and_then(|endpoint| endpoint.ports).unwrap_or_default();
    let is_meant = |seen: &&EndpointPortConfig| {
        seen.target_port == Some(i64::from(*port)) && seen.protocol == Some(EndpointPortConfigProtocolEnum::TCP)
    };
    let not_published = || {
        let message = format!("service `{name}` does not publish port {port}, and swarm gives no other way to it");
        Failure::not_applied(ErrorCode::Unsupported, message)
            .permanent()
            .with_field("ports.exposure")
            .with_remedy("give the port the exposure `host` or `ingress`, or use `muster service exec`")
    };
    let seen = ports.iter().find(is_meant).ok_or_else(not_published)?;
    if seen.publish_mode != Some(EndpointPortConfigPublishModeEnum::HOST) {
        let published = seen.published_port.and_then(|port| u16::try_from(port).ok()).ok_or_else(not_published)?;
        return Ok((published, members.iter().collect()));
    }
    // Each copy publishes on its own machine only.
    let (listed, tasks) = tokio::try_join!(nodes::list(manager), tasks::list(manager))?;
    for task in tasks.iter().filter(|task| task.service_id() == id && task.state() == TaskState::RUNNING) {
        let Some(node) = listed.iter().find(|node| Some(nodes::id(node)) == task.node_id()) else { continue };
        let machine = nodes::machine_of(cluster, node);
        let Some(member) = members.iter().find(|member| Some(&member.machine) == machine.as_ref()) else { continue };
        let status = task.task.status.as_ref().and_then(|status| status.port_status.as_ref());
        let ports = status.and_then(|status| status.ports.as_ref()).into_iter().flatten();
        let published = ports.filter(is_meant).find_map(|seen| u16::try_from(seen.published_port?).ok());
        if let Some(published) = published {
            return Ok((published, vec![member]));
        }
    }
    Err(not_published())
}

fn duplex(connection: TcpStream) -> Duplex {
    let (from, to) = connection.into_split();
    let (input, heard) = mpsc::channel(QUEUE);
    tokio::spawn(write(heard, to));
    let output = futures::stream::try_unfold(from, |mut from: OwnedReadHalf| async {
        let mut buffer = vec![0; MAX_CHUNK_BYTES];
        match from.read(&mut buffer).await {
            Ok(0) => Ok(None),
            Ok(length) => {
                buffer.truncate(length);
                Ok(Some((StreamItem::Bytes(buffer), from)))
            }
            Err(error) => {
                Err(Failure::not_applied(ErrorCode::Unreachable, format!("the connection was lost: {error}")))
            }
        }
    });
    Duplex { output: output.boxed(), input }
}

/// Writes until the caller says its end or goes away, which closes the connection's own half.
async fn write(mut heard: mpsc::Receiver<StreamInput>, mut to: OwnedWriteHalf) {
    while let Some(item) = heard.recv().await {
        let written = match item {
            StreamInput::Bytes(bytes) => to.write_all(&bytes).await,
            StreamInput::End => to.shutdown().await,
            StreamInput::Resize(_) => Ok(()),
        };
        if written.is_err() {
            return;
        }
    }
}
