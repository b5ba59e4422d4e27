//! execInContainer and forwardServicePort: streams that go both ways, and the events that say who opened which.

use muster_engine::duplex::{Duplex, ExecOrder, ForwardOrder};
use muster_protocol::model::event::EventKind;
use muster_protocol::{Error, Name};

use super::open::{must_exist, open, other_stream};
use crate::app::App;
use crate::cluster::message::{Opened, StreamRequest};
use crate::gateway::note::note;
use crate::gateway::roles::Caller;

/// Runs a command in a container.
pub async fn exec(app: &App, caller: &Caller, cluster: &Name, order: ExecOrder) -> Result<Duplex, Error> {
    order.check()?;
    must_exist(app, cluster, &order.service)?;
    let program = order.command.first().cloned().unwrap_or_default();
    let container = order.container.as_deref().map_or_else(String::new, |id| format!(" in container {id}"));
    // Arguments may be secret, so the event tells the program only.
    tell(app, caller, cluster, &order.service, format!("exec of `{program}`{container}")).await?;
    duplex(app, cluster, StreamRequest::Exec(order)).await
}

/// Connects to a port.
pub async fn port_forward(app: &App, caller: &Caller, cluster: &Name, order: ForwardOrder) -> Result<Duplex, Error> {
    if order.port == 0 {
        return Err(Error::invalid("port", "port 0 is not a valid port"));
    }
    must_exist(app, cluster, &order.service)?;
    tell(app, caller, cluster, &order.service, format!("connection to port {}", order.port)).await?;
    duplex(app, cluster, StreamRequest::PortForward(order)).await
}

async fn duplex(app: &App, cluster: &Name, request: StreamRequest) -> Result<Duplex, Error> {
    match open(app, cluster, request).await? {
        Opened::Duplex(duplex) => Ok(duplex),
        Opened::Lines(_) => Err(other_stream()),
    }
}

/// Nothing is opened before the event and the audit record that tell of it are on disk.
async fn tell(app: &App, caller: &Caller, cluster: &Name, service: &Name, message: String) -> Result<(), Error> {
    note(app, caller, cluster, Some(service), EventKind::Session, message).await
}
