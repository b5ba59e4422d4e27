//! Services of clusters.

use axum::http::HeaderMap;
use axum::response::Response as HttpResponse;
use muster_protocol::model::service::{ServiceInfo, ServicePhase, ServiceSpec};
use muster_protocol::request::ServiceSource;
use muster_protocol::{ErrorCode, Name, Request, Response, SecretString};
use serde::Deserialize;
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

use super::answer::{self, Listing};
use super::caller::{Caller, unexpected};
use super::clusters::tagged;
use super::logs;
use super::responses::{Changed, Problems};
use crate::extract::header::{ChangeHeaders, no_match};
use crate::extract::path::{ClusterPath, ServicePath};
use crate::extract::query::{FieldsQuery, page};
use crate::extract::{Change, Fields, IfMatch, Json, Path, Query};
use crate::problem::Problem;
use crate::schema;

/// Which services.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ServiceQuery {
    /// At most so many.
    #[param(required = false, minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Behind the page whose `next` this is.
    #[param(required = false, max_length = 512)]
    after: Option<String>,
    /// Only these fields of each, with commas between.
    #[param(value_type = Option<String>, required = false, example = "spec.name,phase")]
    fields: Option<Fields>,
    /// Only those in this phase.
    #[param(value_type = Option<String>, required = false, example = "running")]
    phase: Option<ServicePhase>,
}

/// The services of one cluster, by name.
#[utoipa::path(
    get, path = "/v1/orchestrators/{name}/services", operation_id = "getOrchestratorsServiceInfo", tag = "services",
    params(ClusterPath, ServiceQuery),
    responses((status = 200, description = "A page of services.", body = answer::List<schema::ServiceInfo>), Problems)
)]
pub async fn list(
    caller: Caller,
    Path(path): Path<ClusterPath>,
    Query(query): Query<ServiceQuery>,
) -> Result<HttpResponse, Problem> {
    services(&caller, Some(path.name), query).await
}

/// The services of all clusters, by cluster and name.
#[utoipa::path(
    get, path = "/v1/services", operation_id = "listServices", tag = "services", params(ServiceQuery),
    responses((status = 200, description = "A page of services.", body = answer::List<schema::ServiceInfo>), Problems)
)]
pub async fn list_all(caller: Caller, Query(query): Query<ServiceQuery>) -> Result<HttpResponse, Problem> {
    services(&caller, None, query).await
}

async fn services(caller: &Caller, cluster: Option<Name>, query: ServiceQuery) -> Result<HttpResponse, Problem> {
    let first = page(query.limit, query.after)?;
    let request = |page| Request::ServiceList { cluster: cluster.clone(), page };
    let passes = |service: &ServiceInfo| query.phase.is_none_or(|phase| service.phase == phase);
    let page_of = |answer| if let Response::Services(page) = answer { Some(page) } else { None };
    let listing = Listing { request: &request, page_of, passes: &passes };
    answer::list(&listing.first(caller, first).await?, query.fields.as_ref())
}

/// Where the services to create come from: one of both.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum NewServices {
    /// One service, spelt out.
    #[schema(value_type = schema::ServiceSpec)]
    Spec(Box<ServiceSpec>),
    /// The services of a template.
    Template(FromTemplate),
}

/// A template with its parameters.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FromTemplate {
    /// The template.
    #[schema(value_type = String, pattern = r"^[a-z]([a-z0-9\-]*[a-z0-9])?$", max_length = 40)]
    template: Name,
    /// The first service's name and the others' prefix; the template's name if left out.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = r"^[a-z]([a-z0-9\-]*[a-z0-9])?$", max_length = 40)]
    name: Option<Name>,
    /// Parameters by name.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>)]
    values: BTreeMap<String, SecretString>,
}

/// Deploy one service, or the services of a template.
#[utoipa::path(
    post, path = "/v1/orchestrators/{name}/services", operation_id = "createOrchestratorService", tag = "services",
    params(ClusterPath, ChangeHeaders), request_body = NewServices,
    responses(Changed)
)]
pub async fn create(
    caller: Caller,
    Path(path): Path<ClusterPath>,
    headers: Change,
    Json(body): Json<NewServices>,
) -> Result<HttpResponse, Problem> {
    let source = match body {
        NewServices::Spec(spec) => ServiceSource::Spec(spec),
        NewServices::Template(FromTemplate { template, name, values }) => {
            ServiceSource::Template { template, name, values }
        }
    };
    let request = Request::ServiceCreate { cluster: path.name, source, idempotency_key: None };
    answer::change(&caller, request, headers).await
}

/// One service.
#[utoipa::path(
    get, path = "/v1/orchestrators/{name}/services/{service}", operation_id = "getContainerServiceInfo",
    tag = "services", params(ServicePath, FieldsQuery),
    responses((status = 200, description = "The service.", body = schema::ServiceInfo), Problems)
)]
pub async fn info(
    caller: Caller,
    Path(path): Path<ServicePath>,
    Query(query): Query<FieldsQuery>,
) -> Result<HttpResponse, Problem> {
    answer::json(&service(&caller, path).await?, query.fields.as_ref())
}

async fn service(caller: &Caller, path: ServicePath) -> Result<ServiceInfo, Problem> {
    let ServicePath { name: cluster, service } = path;
    let Response::Service(info) = caller.ask(Request::ServiceInfo { cluster, service }).await? else {
        return Err(unexpected("a service"));
    };
    Ok(*info)
}

/// Remove a service.
#[utoipa::path(
    delete,
    path = "/v1/orchestrators/{name}/services/{service}",
    operation_id = "deleteOrchestratorService",
    tag = "services",
    params(ServicePath, ChangeHeaders),
    responses(Changed)
)]
pub async fn delete(caller: Caller, Path(path): Path<ServicePath>, headers: Change) -> Result<HttpResponse, Problem> {
    let ServicePath { name: cluster, service } = path;
    answer::change(&caller, Request::ServiceDelete { cluster, service, idempotency_key: None }, headers).await
}

/// What was asked for, with its generation as the ETag. Secret values are not in it.
#[utoipa::path(
    get, path = "/v1/orchestrators/{name}/services/{service}/spec", operation_id = "getOrchestratorServiceSpec",
    tag = "services", params(ServicePath),
    responses(
        (status = 200, description = "The specification.", body = schema::ServiceSpec,
            headers(("ETag" = String, description = "Its generation."))),
        (status = 304, description = "It is the one that `If-None-Match` names."),
        Problems
    )
)]
pub async fn spec(caller: Caller, Path(path): Path<ServicePath>, headers: HeaderMap) -> Result<HttpResponse, Problem> {
    let info = service(&caller, path).await?;
    tagged(&headers, info.generation, || answer::json(&info.spec, None))
}

/// The condition of a change of a specification.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "read by the description of the API only")]
pub struct Condition {
    /// The ETag of the specification that the new one was made of: if somebody changed it since, nothing is changed.
    #[serde(rename = "If-Match")]
    #[param(value_type = Option<String>, required = false, example = "\"3\"")]
    if_match: Option<String>,
}

/// Replace what is asked for of a service.
#[utoipa::path(
    put, path = "/v1/orchestrators/{name}/services/{service}/spec", operation_id = "updateOrchestratorService",
    tag = "services", params(ServicePath, Condition, ChangeHeaders), request_body = schema::ServiceSpec,
    responses(Changed)
)]
pub async fn update(
    caller: Caller,
    Path(path): Path<ServicePath>,
    condition: IfMatch,
    headers: Change,
    Json(spec): Json<Box<ServiceSpec>>,
) -> Result<HttpResponse, Problem> {
    if spec.name != path.service {
        return Err(Problem::invalid("name", format!("the path says `{}` and the body `{}`", path.service, spec.name)));
    }
    let expected_generation = match condition {
        IfMatch::None | IfMatch::Any => None,
        IfMatch::Generation(generation) => Some(generation),
    };
    let request = Request::ServiceUpdate { cluster: path.name, spec, expected_generation, idempotency_key: None };
    answer::change(&caller, request, headers).await.map_err(|problem| {
        // The daemon tells the present generation if that is why it refused.
        let is_stale = problem.code == ErrorCode::Conflict.as_str() && problem.details.contains_key("generation");
        if !is_stale || expected_generation.is_none() {
            return problem;
        }
        Problem { details: problem.details, ..no_match() }
    })
}

/// Another number of copies.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScaleService {
    /// How many copies.
    replicas: u32,
}

/// Change the number of copies.
#[utoipa::path(
    post, path = "/v1/orchestrators/{name}/services/{service}/scale", operation_id = "scaleOrchestratorService",
    tag = "services", params(ServicePath, ChangeHeaders), request_body = ScaleService,
    responses(Changed)
)]
pub async fn scale(
    caller: Caller,
    Path(path): Path<ServicePath>,
    headers: Change,
    Json(body): Json<ScaleService>,
) -> Result<HttpResponse, Problem> {
    let ServicePath { name: cluster, service } = path;
    let request = Request::ServiceScale { cluster, service, replicas: body.replicas, idempotency_key: None };
    answer::change(&caller, request, headers).await
}

/// Submit the service once more, with what its image's tag means by now.
#[utoipa::path(
    post,
    path = "/v1/orchestrators/{name}/services/{service}/refresh",
    operation_id = "refreshOrchestratorService",
    tag = "services",
    params(ServicePath, ChangeHeaders),
    responses(Changed)
)]
pub async fn refresh(caller: Caller, Path(path): Path<ServicePath>, headers: Change) -> Result<HttpResponse, Problem> {
    let ServicePath { name: cluster, service } = path;
    answer::change(&caller, Request::ServiceRefresh { cluster, service, idempotency_key: None }, headers).await
}

/// Which output.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LogsQuery {
    /// Go on with new lines. Only as server-sent events.
    #[param(required = false)]
    follow: bool,
    /// Only the last so many lines of each container.
    #[param(required = false)]
    tail: Option<u32>,
}

/// The output of a service: one JSON object a line, or with `Accept: text/event-stream` as server-sent events, which go on
/// behind `Last-Event-ID`.
#[utoipa::path(
    get, path = "/v1/orchestrators/{name}/services/{service}/logs", operation_id = "getOrchestratorServiceLogs",
    tag = "services", params(ServicePath, LogsQuery),
    responses(
        (status = 200, description = "Lines.", content(
            (schema::LogLine = "application/x-ndjson"),
            (String = "text/event-stream"),
        )),
        Problems
    )
)]
pub async fn logs(
    caller: Caller,
    Path(path): Path<ServicePath>,
    Query(query): Query<LogsQuery>,
    headers: HeaderMap,
) -> Result<HttpResponse, Problem> {
    logs::answer(&caller, path, query.follow, query.tail, &headers).await
}
