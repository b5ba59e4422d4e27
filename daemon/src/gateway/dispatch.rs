//! From a request to the file of its operation.

use std::sync::Arc;

use futures::stream::BoxStream;
use muster_protocol::{Error, ErrorCode, Request, Response, StreamItem};

use super::context::Context;
use super::roles::Caller;
use super::{account, catalog, cluster, container, doctor, events, host, idempotency, operation, service, whoami};

/// Items of a stream, as they come. An error is the last item.
pub type Items = BoxStream<'static, Result<StreamItem, Error>>;

/// What a request leads to.
pub enum Outcome {
    /// One answer.
    Answer(Box<Response>),
    /// A stream.
    Stream(Items),
}

/// Does what is asked for, if the caller may ask for it.
pub async fn dispatch(context: &Arc<Context>, caller: &Caller, mut request: Request) -> Result<Outcome, Error> {
    caller.may(&request)?;
    let keyed = idempotency::take_key(&mut request)?;
    let answer = match request {
        Request::ClusterCreate { spec, .. } => cluster::create::create(context, caller, keyed, spec).await,
        Request::ClusterDelete { cluster, .. } => cluster::delete::delete(context, caller, keyed, &cluster).await,
        Request::ClusterInfo { cluster } => cluster::info::info(context, &cluster),
        Request::ClusterList { page } => cluster::list::list(context, &page),
        Request::ClusterPlan { change } => cluster::plan::plan(context, caller, change).await,
        Request::ClusterScale { cluster, control_planes, workers, .. } => {
            cluster::scale::scale(context, caller, keyed, &cluster, control_planes, workers).await
        }
        Request::ClusterRetry { cluster, .. } => cluster::retry::retry(context, caller, keyed, &cluster).await,
        Request::ServiceCreate { cluster, source, .. } => {
            service::create::create(context, caller, keyed, &cluster, source).await
        }
        Request::ServiceDelete { cluster, service, .. } => {
            service::delete::delete(context, caller, keyed, &cluster, service).await
        }
        Request::ServiceInfo { cluster, service } => service::info::info(context, &cluster, &service),
        Request::ServiceList { cluster, page } => service::list::list(context, cluster.as_ref(), &page),
        Request::ServiceUpdate { cluster, spec, .. } => {
            service::update::update(context, caller, keyed, &cluster, spec).await
        }
        Request::ServiceScale { cluster, service, replicas, .. } => {
            service::scale::scale(context, caller, keyed, &cluster, service, replicas).await
        }
        Request::ServiceLogs { cluster, service, follow, tail } => {
            return Ok(Outcome::Stream(service::logs::logs(context, &cluster, service, follow, tail).await?));
        }
        Request::HostInfo { id } => host::info::info(context, id),
        Request::HostList { cluster, page } => host::list::list(context, cluster.as_ref(), &page),
        Request::ContainerInfo { id } => container::info::info(context, &id),
        Request::ContainerList { cluster, service, page } => {
            container::list::list(context, cluster.as_ref(), service.as_ref(), &page)
        }
        Request::CatalogList => catalog::list::list(context).await,
        Request::CatalogShow { template } => catalog::show::show(context, &template).await,
        Request::OperationInfo { id } => operation::info::info(context, id),
        Request::OperationList { cluster, page } => operation::list::list(context, cluster.as_ref(), &page),
        Request::OperationWatch { id } => return Ok(Outcome::Stream(operation::watch::watch(context, id)?)),
        Request::OperationCancel { id } => operation::cancel::cancel(context, caller, id).await,
        Request::Events { since, cluster, follow } => {
            return Ok(Outcome::Stream(events::events(context, since, cluster, follow).await?));
        }
        Request::AccountAdd { spec } => account::add::add(context, spec).await,
        Request::AccountCheck { account } => account::check::check(context, &account).await,
        Request::AccountList => account::list::list(context).await,
        Request::AccountRemove { account } => account::remove::remove(context, &account).await,
        Request::Doctor => doctor::doctor(context).await,
        Request::Whoami => whoami::whoami(context, caller),
    };
    answer.map(|response| Outcome::Answer(Box::new(response)))
}

/// Notes how a request went, for the metrics.
pub fn note(operation: &'static str, began: tokio::time::Instant, outcome: Result<(), ErrorCode>) {
    let result = outcome.err().map_or("ok", ErrorCode::as_str);
    metrics::counter!("muster_requests_total", "operation" => operation, "result" => result).increment(1);
    metrics::histogram!("muster_request_seconds", "operation" => operation).record(began.elapsed().as_secs_f64());
}
