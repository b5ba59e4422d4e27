//! From a request to the file of its operation.

use std::sync::Arc;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use muster_protocol::{Error, Request, Response, StreamItem};

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

/// What is still to be done for a request. Nothing of it is done before it is polled.
pub type Work = BoxFuture<'static, Result<Outcome, Error>>;

/// How a request is answered.
#[expect(clippy::large_enum_variant, reason = "most are answers; boxing each would cost more than it saves")]
pub enum Dispatched {
    /// It needs no waiting: here is the answer.
    AtOnce(Result<Response, Error>),
    /// With what comes of this.
    Later(Work),
}

/// Answers what needs no waiting, and begins what does, if the caller may ask for it.
pub fn dispatch(context: &Arc<Context>, caller: Caller, mut request: Request) -> Dispatched {
    let fingerprint = |text: &[u8]| context.provisioner.shared.vault.fingerprint(text);
    let keyed = match caller.may(&request).and_then(|()| idempotency::take_key(&mut request, fingerprint)) {
        Ok(keyed) => keyed,
        Err(refusal) => return Dispatched::AtOnce(Err(refusal)),
    };
    let at_once = Dispatched::AtOnce;
    // Work goes on without the session, so it has what it needs.
    let shared = context.clone();
    match request {
        Request::ClusterCreate { spec, .. } => {
            answer(async move { cluster::create::create(&shared, &caller, keyed, spec).await })
        }
        Request::ClusterDelete { cluster, .. } => {
            answer(async move { cluster::delete::delete(&shared, &caller, keyed, &cluster).await })
        }
        Request::ClusterInfo { cluster } => at_once(cluster::info::info(context, &cluster)),
        Request::ClusterList { page } => at_once(cluster::list::list(context, &page)),
        Request::ClusterPlan { change } => answer(async move { cluster::plan::plan(&shared, &caller, change).await }),
        Request::ClusterScale { cluster, control_planes, workers, .. } => {
            answer(
                async move { cluster::scale::scale(&shared, &caller, keyed, &cluster, control_planes, workers).await },
            )
        }
        Request::ClusterRetry { cluster, .. } => {
            answer(async move { cluster::retry::retry(&shared, &caller, keyed, &cluster).await })
        }
        Request::ServiceCreate { cluster, source, .. } => {
            answer(async move { service::create::create(&shared, &caller, keyed, &cluster, source).await })
        }
        Request::ServiceDelete { cluster, service, .. } => {
            answer(async move { service::delete::delete(&shared, &caller, keyed, &cluster, service).await })
        }
        Request::ServiceInfo { cluster, service } => at_once(service::info::info(context, &cluster, &service)),
        Request::ServiceList { cluster, page } => at_once(service::list::list(context, cluster.as_ref(), &page)),
        Request::ServiceUpdate { cluster, spec, expected_generation, .. } => answer(async move {
            service::update::update(&shared, &caller, keyed, &cluster, spec, expected_generation).await
        }),
        Request::ServiceScale { cluster, service, replicas, .. } => {
            answer(async move { service::scale::scale(&shared, &caller, keyed, &cluster, service, replicas).await })
        }
        Request::ServiceLogs { cluster, service, follow, tail } => {
            stream(async move { service::logs::logs(&shared, &cluster, service, follow, tail).await })
        }
        Request::HostInfo { id } => at_once(host::info::info(context, id)),
        Request::HostList { cluster, page } => at_once(host::list::list(context, cluster.as_ref(), &page)),
        Request::ContainerInfo { id } => at_once(container::info::info(context, &id)),
        Request::ContainerList { cluster, service, page } => {
            at_once(container::list::list(context, cluster.as_ref(), service.as_ref(), &page))
        }
        Request::CatalogList => answer(async move { catalog::list::list(&shared).await }),
        Request::CatalogShow { template } => answer(async move { catalog::show::show(&shared, &template).await }),
        Request::OperationInfo { id } => at_once(operation::info::info(context, id)),
        Request::OperationList { cluster, page } => at_once(operation::list::list(context, cluster.as_ref(), &page)),
        Request::OperationWatch { id } => stream(async move { operation::watch::watch(&shared, id) }),
        Request::OperationCancel { id } => answer(async move { operation::cancel::cancel(&shared, &caller, id).await }),
        Request::Events { since, cluster, follow } => {
            stream(async move { events::events(&shared, since, cluster, follow).await })
        }
        Request::AccountAdd { spec } => answer(async move { account::add::add(&shared, spec).await }),
        Request::AccountCheck { account } => answer(async move { account::check::check(&shared, &account).await }),
        Request::AccountList => answer(async move { account::list::list(&shared).await }),
        Request::AccountRemove { account } => answer(async move { account::remove::remove(&shared, &account).await }),
        Request::Doctor => answer(async move { doctor::doctor(&shared).await }),
        Request::Whoami => at_once(whoami::whoami(context, &caller)),
    }
}

fn answer(work: impl Future<Output = Result<Response, Error>> + Send + 'static) -> Dispatched {
    Dispatched::Later(Box::pin(async move { work.await.map(|response| Outcome::Answer(Box::new(response))) }))
}

fn stream(work: impl Future<Output = Result<Items, Error>> + Send + 'static) -> Dispatched {
    Dispatched::Later(Box::pin(async move { work.await.map(Outcome::Stream) }))
}
