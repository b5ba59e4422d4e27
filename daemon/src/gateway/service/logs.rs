//! getOrchestratorServiceLogs: a service's output, as a stream. Dropping the stream ends the one behind it.

use futures::StreamExt;
use muster_protocol::{Error, ErrorCode, Name, StreamItem};
use ractor::rpc::CallResult;

use crate::cluster::message::LogRequest;
use crate::cluster::message::SupervisorMessage;
use crate::gateway::ask;
use crate::gateway::context::Context;
use crate::gateway::dispatch::Items;
use crate::provisioner::as_error;

/// The lines of a service.
pub async fn logs(
    context: &Context,
    cluster: &Name,
    service: Name,
    follow: bool,
    tail: Option<u32>,
) -> Result<Items, Error> {
    let found = || context.provisioner.shared.board.cluster(cluster);
    if found()?.state.services.get(&service).is_none_or(|record| record.absent) {
        return Err(Error::not_found("service", &service));
    }
    let supervisor = ask::supervisor(context, found, ask::patience()).await?;
    let request = LogRequest { service, follow, tail };
    let opened = supervisor.call(|reply| SupervisorMessage::Logs(request, reply), Some(context.limits.read)).await;
    match opened {
        Ok(CallResult::Success(Ok(lines))) => Ok(lines.map(|line| line.map(StreamItem::Log).map_err(as_error)).boxed()),
        Ok(CallResult::Success(Err(failure))) => Err(as_error(failure)),
        Ok(CallResult::Timeout) => Err(Error::new(ErrorCode::Unreachable, "the orchestrator does not answer")
            .with_remedy("see what is wrong with it with `muster cluster info`")
            .retry_later()),
        Ok(CallResult::SenderError) | Err(_) => {
            Err(Error::new(ErrorCode::Unavailable, "the cluster's supervisor is starting again").retry_later())
        }
    }
}
