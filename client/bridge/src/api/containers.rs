//! Containers: the running copies of services.

use axum::response::Response as HttpResponse;
use muster_protocol::model::container::{ContainerInfo, ContainerPhase};
use muster_protocol::{Name, Request, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::answer::{self, Listing};
use super::caller::{Caller, unexpected};
use super::responses::Problems;
use crate::extract::path::ContainerPath;
use crate::extract::query::{FieldsQuery, page};
use crate::extract::{Fields, Path, Query};
use crate::problem::Problem;
use crate::schema;

/// Which containers.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ContainerQuery {
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
    /// Only those of this service; with `cluster`.
    #[param(value_type = Option<String>, required = false)]
    service: Option<Name>,
    /// Only those on this machine, by its name within its cluster.
    #[param(value_type = Option<String>, required = false, example = "worker-1")]
    machine: Option<Name>,
    /// Only those in this phase.
    #[param(value_type = Option<String>, required = false, example = "running")]
    phase: Option<ContainerPhase>,
}

/// The containers of one cluster or of all, of one service or of all.
#[utoipa::path(
    get, path = "/v1/containers", operation_id = "listContainers", tag = "containers", params(ContainerQuery),
    responses((status = 200, description = "A page of containers.", body = answer::List<schema::ContainerInfo>), Problems)
)]
pub async fn list(caller: Caller, Query(query): Query<ContainerQuery>) -> Result<HttpResponse, Problem> {
    let first = page(query.limit, query.after)?;
    let request =
        |page| Request::ContainerList { cluster: query.cluster.clone(), service: query.service.clone(), page };
    let passes = |container: &ContainerInfo| {
        query.machine.as_ref().is_none_or(|machine| container.machine.as_ref() == Some(machine))
            && query.phase.is_none_or(|phase| container.phase == phase)
    };
    let page_of = |answer| if let Response::Containers(page) = answer { Some(page) } else { None };
    let listing = Listing { request: &request, page_of, passes: &passes };
    answer::list(&listing.first(&caller, first).await?, query.fields.as_ref())
}

/// One container.
#[utoipa::path(
    get, path = "/v1/containers/{id}", operation_id = "getContainerInfo", tag = "containers",
    params(ContainerPath, FieldsQuery),
    responses((status = 200, description = "The container.", body = schema::ContainerInfo), Problems)
)]
pub async fn info(
    caller: Caller,
    Path(path): Path<ContainerPath>,
    Query(query): Query<FieldsQuery>,
) -> Result<HttpResponse, Problem> {
    let Response::Container(info) = caller.ask(Request::ContainerInfo { id: path.id }).await? else {
        return Err(unexpected("a container"));
    };
    answer::json(&info, query.fields.as_ref())
}
