//! Hosts: the machines of clusters.

use axum::response::Response as HttpResponse;
use muster_protocol::model::host::{HostInfo, HostPhase, Role};
use muster_protocol::{Name, Request, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::answer::{self, Listing};
use super::caller::{Caller, unexpected};
use super::responses::Problems;
use crate::extract::path::HostPath;
use crate::extract::query::{FieldsQuery, page};
use crate::extract::{Fields, Path, Query};
use crate::problem::Problem;
use crate::schema;

/// Which hosts.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HostQuery {
    /// At most so many.
    #[param(required = false, minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Behind the page whose `next` this is.
    #[param(required = false, max_length = 512)]
    after: Option<String>,
    /// Only these fields of each, with commas between.
    #[param(value_type = Option<String>, required = false, example = "name,phase")]
    fields: Option<Fields>,
    /// Only those of this cluster.
    #[param(value_type = Option<String>, required = false)]
    cluster: Option<Name>,
    /// Only those for this: `control-plane` or `worker`.
    #[param(value_type = Option<String>, required = false, example = "worker")]
    role: Option<Role>,
    /// Only those in this phase.
    #[param(value_type = Option<String>, required = false, example = "ready")]
    phase: Option<HostPhase>,
}

/// The machines of one cluster or of all.
#[utoipa::path(
    get, path = "/v1/hosts", operation_id = "listHosts", tag = "hosts", params(HostQuery),
    responses((status = 200, description = "A page of hosts.", body = answer::List<schema::HostInfo>), Problems)
)]
pub async fn list(caller: Caller, Query(query): Query<HostQuery>) -> Result<HttpResponse, Problem> {
    let first = page(query.limit, query.after)?;
    let request = |page| Request::HostList { cluster: query.cluster.clone(), page };
    let passes = |host: &HostInfo| {
        query.role.is_none_or(|role| host.role == role) && query.phase.is_none_or(|phase| host.phase == phase)
    };
    let page_of = |answer| if let Response::Hosts(page) = answer { Some(page) } else { None };
    let listing = Listing { request: &request, page_of, passes: &passes };
    answer::list(&listing.first(&caller, first).await?, query.fields.as_ref())
}

/// One machine.
#[utoipa::path(
    get, path = "/v1/hosts/{id}", operation_id = "getHostInfoById", tag = "hosts", params(HostPath, FieldsQuery),
    responses((status = 200, description = "The host.", body = schema::HostInfo), Problems)
)]
pub async fn info(
    caller: Caller,
    Path(path): Path<HostPath>,
    Query(query): Query<FieldsQuery>,
) -> Result<HttpResponse, Problem> {
    let Response::Host(info) = caller.ask(Request::HostInfo { id: path.id }).await? else {
        return Err(unexpected("a host"));
    };
    answer::json(&info, query.fields.as_ref())
}
