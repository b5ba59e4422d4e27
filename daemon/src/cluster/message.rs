//! What a supervisor is told: by the gateway, and by the actors that make its calls. Everything that changes a cluster is one of these.

use std::collections::BTreeMap;

use futures::stream::BoxStream;
use muster_engine::access::AccessOrder;
use muster_engine::action::{Action, Outcome};
use muster_engine::duplex::{Duplex, ExecOrder, ForwardOrder};
use muster_engine::failure::Failure;
use muster_engine::session::Kept;
use muster_engine::state::Observation;
use muster_protocol::model::access::AccessFile;
use muster_protocol::model::operation::OperationInfo;
use muster_protocol::model::service::LogLine;
use muster_protocol::{Error, Name, Timestamp};
use ractor::RpcReplyPort;

use super::intent::Intent;

/// What a supervisor is told.
pub enum SupervisorMessage {
    /// Somebody asks for a change.
    Change(Box<Intent>, RpcReplyPort<Result<OperationInfo, Error>>),
    /// A call ended.
    Finished(Action, Outcome),
    /// Something was seen, by a look that began then.
    Observed(Box<Observation>, Timestamp),
    /// The handler's session says that something is new in the orchestrator.
    LookNow,
    /// The handler's session keeps a value under a key, or forgets it if there is none.
    Keep(String, Option<Kept>, RpcReplyPort<Result<(), Failure>>),
    /// The handler's session begins, and asks for what earlier ones kept.
    Kept(RpcReplyPort<Result<BTreeMap<String, Kept>, Failure>>),
    /// A time came at which the plan may look different.
    Wake,
    /// Somebody wants a stream from or to the orchestrator.
    Open(StreamRequest, RpcReplyPort<Result<Opened, Failure>>),
    /// Somebody wants a file with which the cluster is reached.
    Access(AccessOrder, RpcReplyPort<Result<AccessFile, Failure>>),
    /// Begin nothing new; answer when no call is under way.
    Drain(RpcReplyPort<()>),
}

/// Which stream.
#[derive(Clone, Debug)]
pub enum StreamRequest {
    /// A service's output.
    Logs(LogRequest),
    /// A command in a container.
    Exec(ExecOrder),
    /// A connection to a port.
    PortForward(ForwardOrder),
}

/// A stream that was opened. Its bytes by-pass the actors.
pub enum Opened {
    /// A service's output.
    Lines(Lines),
    /// Both ways.
    Duplex(Duplex),
}

/// Log lines, as they come.
pub type Lines = BoxStream<'static, Result<LogLine, Failure>>;

/// Which output of a service.
#[derive(Clone, Debug)]
pub struct LogRequest {
    /// The service.
    pub service: Name,
    /// Whether new lines are wanted as they come.
    pub follow: bool,
    /// How many of each container's last lines; all, if none.
    pub tail: Option<u32>,
}
