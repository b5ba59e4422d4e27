//! What a supervisor is told: by the gateway, and by the actors that make its calls. Everything that changes a cluster is one of these.

use futures::stream::BoxStream;
use muster_engine::action::{Action, Outcome};
use muster_engine::failure::Failure;
use muster_engine::state::Observation;
use muster_protocol::model::operation::OperationInfo;
use muster_protocol::model::service::LogLine;
use muster_protocol::{Error, Name, Timestamp};
use ractor::RpcReplyPort;

use super::intent::Intent;

/// What a supervisor is told.
pub enum SupervisorMessage {
    /// Somebody asks for a change.
    Asked(Box<Intent>, RpcReplyPort<Result<OperationInfo, Error>>),
    /// A call ended.
    Finished(Action, Outcome),
    /// Something was seen, by a look that began then.
    Observed(Box<Observation>, Timestamp),
    /// A time came at which the plan may look different.
    Wake,
    /// Somebody wants a service's output.
    Logs(LogRequest, RpcReplyPort<Result<Lines, Failure>>),
    /// Begin nothing new; answer when no call is under way.
    Drain(RpcReplyPort<()>),
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
