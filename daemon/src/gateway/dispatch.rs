//! From a request to the file of its operation.

use std::sync::Arc;

use muster_engine::duplex::{Duplex, ExecOrder, ForwardOrder};
use muster_protocol::{Error, Request, Response};

use super::reply::{Dispatched, Items, ReplyBody};
use super::roles::Caller;
use super::{account, audit, catalog, cluster, container, doctor, events, host, idempotency};
use super::{metrics, operation, service, token, whoami};
use crate::app::App;

/// Answers what needs no waiting, and begins what does, if the caller may ask for it.
pub fn dispatch(app: &Arc<App>, caller: Caller, mut request: Request) -> Dispatched {
    let fingerprint = |text: &[u8]| app.provisioner.shared.vault.fingerprint(text);
    let keyed = match caller.may(&request).and_then(|()| idempotency::take_key(&mut request, fingerprint)) {
        Ok(keyed) => keyed,
        Err(refusal) => return Dispatched::AtOnce(Err(refusal)),
    };
    let at_once = Dispatched::AtOnce;
    // Work goes on without the session, so it has what it needs.
    let shared = app.clone();
    match request {
        Request::ClusterCreate { spec, .. } => {
            answer(async move { cluster::create::create(&shared, &caller, keyed, spec).await })
        }
        Request::ClusterDelete { cluster, .. } => {
            answer(async move { cluster::delete::delete(&shared, &caller, keyed, &cluster).await })
        }
        Request::ClusterInfo { cluster } => at_once(cluster::read::info(app, &cluster)),
        Request::ClusterList { page } => at_once(cluster::read::list(app, &caller, &page)),
        Request::ClusterPlan { change } => answer(async move { cluster::plan::plan(&shared, &caller, change).await }),
        Request::ClusterScale { cluster, control_planes, workers, .. } => {
            answer(
                async move { cluster::scale::scale(&shared, &caller, keyed, &cluster, control_planes, workers).await },
            )
        }
        Request::ClusterRetry { cluster, .. } => {
            answer(async move { cluster::retry::retry(&shared, &caller, keyed, &cluster).await })
        }
        Request::ClusterUpgrade { cluster, version, .. } => {
            answer(async move { cluster::upgrade::upgrade(&shared, &caller, keyed, &cluster, version).await })
        }
        Request::ClusterRenew { cluster, .. } => {
            answer(async move { cluster::renew::renew(&shared, &caller, keyed, &cluster).await })
        }
        Request::ServiceCreate { cluster, source, .. } => {
            answer(async move { service::create::create(&shared, &caller, keyed, &cluster, source).await })
        }
        Request::ServiceDelete { cluster, service, .. } => {
            answer(async move { service::delete::delete(&shared, &caller, keyed, &cluster, service).await })
        }
        Request::ServiceInfo { cluster, service } => at_once(service::read::info(app, &cluster, &service)),
        Request::ServiceList { cluster, page } => at_once(service::read::list(app, &caller, cluster.as_ref(), &page)),
        Request::ServiceUpdate { cluster, spec, expected_generation, .. } => answer(async move {
            service::update::update(&shared, &caller, keyed, &cluster, spec, expected_generation).await
        }),
        Request::ServiceScale { cluster, service, replicas, .. } => {
            answer(async move { service::scale::scale(&shared, &caller, keyed, &cluster, service, replicas).await })
        }
        Request::ServiceRefresh { cluster, service, .. } => {
            answer(async move { service::refresh::refresh(&shared, &caller, keyed, &cluster, service).await })
        }
        Request::ServiceLogs { cluster, service, follow, tail } => {
            stream(async move { service::logs::logs(&shared, &cluster, service, follow, tail).await })
        }
        Request::ContainerExec { cluster, service, container, command, tty } => {
            let order = ExecOrder { service, container, command, tty };
            duplex(async move { service::exec::exec(&shared, &caller, &cluster, order).await })
        }
        Request::ServicePortForward { cluster, service, port } => {
            let order = ForwardOrder { service, port };
            duplex(async move { service::exec::port_forward(&shared, &caller, &cluster, order).await })
        }
        Request::ClusterAccess { cluster, kind, role, valid_seconds } => {
            answer(async move { cluster::access::access(&shared, &caller, &cluster, kind, role, valid_seconds).await })
        }
        Request::HostInfo { id } => at_once(host::read::info(app, &caller, id)),
        Request::HostList { cluster, page } => at_once(host::read::list(app, &caller, cluster.as_ref(), &page)),
        Request::ContainerInfo { id } => at_once(container::read::info(app, &caller, &id)),
        Request::ContainerList { cluster, service, page } => {
            at_once(container::read::list(app, &caller, cluster.as_ref(), service.as_ref(), &page))
        }
        Request::CatalogList => answer(async move { catalog::read::list(&shared).await }),
        Request::CatalogShow { template } => answer(async move { catalog::read::show(&shared, &template).await }),
        Request::OperationInfo { id } => at_once(operation::read::info(app, &caller, id)),
        Request::OperationList { cluster, page } => {
            at_once(operation::read::list(app, &caller, cluster.as_ref(), &page))
        }
        Request::OperationWatch { id } => stream(async move { operation::watch::watch(&shared, &caller, id) }),
        Request::OperationCancel { id } => answer(async move { operation::cancel::cancel(&shared, &caller, id).await }),
        Request::Events { since, cluster, follow } => {
            stream(async move { events::events(&shared, caller, since, cluster, follow).await })
        }
        Request::AccountAdd { spec } => answer(async move { account::add::add(&shared, &caller, spec).await }),
        Request::AccountCheck { account } => answer(async move { account::check::check(&shared, &account).await }),
        Request::AccountList => answer(async move { account::list::list(&shared).await }),
        Request::AccountRemove { account } => {
            answer(async move { account::remove::remove(&shared, &caller, &account).await })
        }
        Request::Doctor => answer(async move { doctor::doctor(&shared).await }),
        Request::Whoami => at_once(whoami::whoami(app, &caller)),
        Request::AuditList { since, principal, page } => {
            answer(async move { audit::list::list(&shared, since, principal.as_ref(), &page).await })
        }
        Request::AuditVerify => answer(async move { audit::verify::verify(&shared).await }),
        Request::TokenCreate { spec } => answer(async move { token::create::create(&shared, &caller, spec).await }),
        Request::TokenList { page } => at_once(token::list::list(app, &page)),
        Request::TokenRevoke { token } => answer(async move { token::revoke::revoke(&shared, &caller, &token).await }),
        Request::TokenResolve { token } => at_once(token::resolve::resolve(app, &token)),
        Request::Metrics => at_once(metrics::metrics(app)),
    }
}

fn answer(work: impl Future<Output = Result<Response, Error>> + Send + 'static) -> Dispatched {
    Dispatched::Later(Box::pin(async move { work.await.map(|response| ReplyBody::Answer(Box::new(response))) }))
}

fn stream(work: impl Future<Output = Result<Items, Error>> + Send + 'static) -> Dispatched {
    Dispatched::Later(Box::pin(async move { work.await.map(ReplyBody::Stream) }))
}

fn duplex(work: impl Future<Output = Result<Duplex, Error>> + Send + 'static) -> Dispatched {
    Dispatched::Later(Box::pin(async move { work.await.map(ReplyBody::Duplex) }))
}
