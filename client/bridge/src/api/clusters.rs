//! Clusters: `/v1/orchestrators`, by the paper's word.

use axum::http::HeaderMap;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response as HttpResponse};
use muster_protocol::model::cluster::{ClusterPhase, ClusterSpec, ClusterSummary, Infrastructure, Orchestrator};
use muster_protocol::model::plan::PlanChange;
use muster_protocol::{Request, Response};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::answer::{self, Listing};
use super::caller::{Caller, unexpected};
use super::responses::{Changed, ChangedOrPlanned, Problems};
use crate::extract::header::{ChangeHeaders, etag, is_known};
use crate::extract::path::ClusterPath;
use crate::extract::query::{DryRunQuery, FieldsQuery, page};
use crate::extract::{Change, Fields, Json, Path, Query};
use crate::problem::Problem;
use crate::schema;

/// Which clusters.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ClusterQuery {
    /// At most so many.
    #[param(required = false, minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Behind the page whose `next` this is.
    #[param(required = false, max_length = 512)]
    after: Option<String>,
    /// Only these fields of each, with commas between.
    #[param(value_type = Option<String>, required = false, example = "name,phase")]
    fields: Option<Fields>,
    /// Only those in this phase.
    #[param(value_type = Option<String>, required = false, example = "ready")]
    phase: Option<ClusterPhase>,
    /// Only those with this orchestrator.
    #[param(value_type = Option<String>, required = false, example = "swarm")]
    orchestrator: Option<Orchestrator>,
    /// Only those on this infrastructure.
    #[param(value_type = Option<String>, required = false, example = "local")]
    infrastructure: Option<Infrastructure>,
}

/// All clusters, by name, a page at a time.
#[utoipa::path(
    get, path = "/v1/orchestrators", operation_id = "listOrchestrators", tag = "clusters", params(ClusterQuery),
    responses((status = 200, description = "A page of clusters.", body = answer::List<schema::ClusterSummary>), Problems)
)]
pub async fn list(caller: Caller, Query(query): Query<ClusterQuery>) -> Result<HttpResponse, Problem> {
    let first = page(query.limit, query.after)?;
    let request = |page| Request::ClusterList { page };
    let passes = |cluster: &ClusterSummary| {
        query.phase.is_none_or(|phase| cluster.phase == phase)
            && query.orchestrator.is_none_or(|kind| cluster.orchestrator == kind)
            && query.infrastructure.is_none_or(|kind| cluster.infrastructure == kind)
    };
    let page_of = |answer| if let Response::Clusters(page) = answer { Some(page) } else { None };
    let listing = Listing { request: &request, page_of, passes: &passes };
    answer::list(&listing.first(&caller, first).await?, query.fields.as_ref())
}

/// Create a cluster, or with `dryRun` see how it would be made.
#[utoipa::path(
    post, path = "/v1/orchestrators", operation_id = "createOrchestrator", tag = "clusters",
    params(DryRunQuery, ChangeHeaders), request_body = schema::ClusterSpec,
    responses(ChangedOrPlanned)
)]
pub async fn create(
    caller: Caller,
    Query(query): Query<DryRunQuery>,
    headers: Change,
    Json(spec): Json<ClusterSpec>,
) -> Result<HttpResponse, Problem> {
    if query.dry_run {
        return planned(&caller, PlanChange::Create(spec)).await;
    }
    answer::change(&caller, Request::ClusterCreate { spec, idempotency_key: None }, headers).await
}

/// Everything about one cluster.
#[utoipa::path(
    get, path = "/v1/orchestrators/{name}", operation_id = "getOrchestratorInfo", tag = "clusters",
    params(ClusterPath, FieldsQuery),
    responses((status = 200, description = "The cluster.", body = schema::ClusterInfo), Problems)
)]
pub async fn info(
    caller: Caller,
    Path(path): Path<ClusterPath>,
    Query(query): Query<FieldsQuery>,
) -> Result<HttpResponse, Problem> {
    let Response::Cluster(info) = caller.ask(Request::ClusterInfo { cluster: path.name }).await? else {
        return Err(unexpected("a cluster"));
    };
    answer::json(&info, query.fields.as_ref())
}

/// Remove a cluster with all it has, or with `dryRun` see what would go.
#[utoipa::path(
    delete,
    path = "/v1/orchestrators/{name}",
    operation_id = "deleteOrchestrator",
    tag = "clusters",
    params(ClusterPath, DryRunQuery, ChangeHeaders),
    responses(ChangedOrPlanned)
)]
pub async fn delete(
    caller: Caller,
    Path(path): Path<ClusterPath>,
    Query(query): Query<DryRunQuery>,
    headers: Change,
) -> Result<HttpResponse, Problem> {
    let cluster = path.name;
    if query.dry_run {
        return planned(&caller, PlanChange::Delete { cluster }).await;
    }
    answer::change(&caller, Request::ClusterDelete { cluster, idempotency_key: None }, headers).await
}

/// What was asked for, with its generation as the ETag.
#[utoipa::path(
    get, path = "/v1/orchestrators/{name}/spec", operation_id = "getOrchestratorSpec", tag = "clusters",
    params(ClusterPath),
    responses(
        (status = 200, description = "The specification.", body = schema::ClusterSpec,
            headers(("ETag" = String, description = "Its generation."))),
        (status = 304, description = "It is the one that `If-None-Match` names."),
        Problems
    )
)]
pub async fn spec(caller: Caller, Path(path): Path<ClusterPath>, headers: HeaderMap) -> Result<HttpResponse, Problem> {
    let Response::Cluster(info) = caller.ask(Request::ClusterInfo { cluster: path.name }).await? else {
        return Err(unexpected("a cluster"));
    };
    tagged(&headers, info.generation, || answer::json(&info.spec, None))
}

/// What is still to be done now, and what it waits for.
#[utoipa::path(
    get, path = "/v1/orchestrators/{name}/plan", operation_id = "planOrchestrator", tag = "clusters",
    params(ClusterPath),
    responses((status = 200, description = "The steps.", body = schema::Plan), Problems)
)]
pub async fn plan(caller: Caller, Path(path): Path<ClusterPath>) -> Result<HttpResponse, Problem> {
    planned(&caller, PlanChange::Current { cluster: path.name }).await
}

/// Other numbers of machines; what is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScaleCluster {
    /// Machines that run the control plane: odd, at most 7.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 7)]
    control_planes: Option<u32>,
    /// Machines that only run services.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 500)]
    workers: Option<u32>,
}

/// Change the numbers of machines, or with `dryRun` see how.
#[utoipa::path(
    post, path = "/v1/orchestrators/{name}/scale", operation_id = "scaleOrchestrator", tag = "clusters",
    params(ClusterPath, DryRunQuery, ChangeHeaders), request_body = ScaleCluster,
    responses(ChangedOrPlanned)
)]
pub async fn scale(
    caller: Caller,
    Path(path): Path<ClusterPath>,
    Query(query): Query<DryRunQuery>,
    headers: Change,
    Json(body): Json<ScaleCluster>,
) -> Result<HttpResponse, Problem> {
    let (cluster, ScaleCluster { control_planes, workers }) = (path.name, body);
    if query.dry_run {
        return planned(&caller, PlanChange::Scale { cluster, control_planes, workers }).await;
    }
    let request = Request::ClusterScale { cluster, control_planes, workers, idempotency_key: None };
    answer::change(&caller, request, headers).await
}

/// Try again now whatever failed and waits.
#[utoipa::path(
    post,
    path = "/v1/orchestrators/{name}/retry",
    operation_id = "retryOrchestrator",
    tag = "clusters",
    params(ClusterPath, ChangeHeaders),
    responses(Changed)
)]
pub async fn retry(caller: Caller, Path(path): Path<ClusterPath>, headers: Change) -> Result<HttpResponse, Problem> {
    answer::change(&caller, Request::ClusterRetry { cluster: path.name, idempotency_key: None }, headers).await
}

/// Another version or recipe.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpgradeCluster {
    /// The orchestrator's version; as it is, if left out, with the recipe that this release of Muster offers.
    #[serde(default)]
    #[schema(max_length = 64)]
    version: Option<String>,
}

/// Bring the machines to another version of the orchestrator, or to the recipe that this release offers; with `dryRun` see how.
#[utoipa::path(
    post, path = "/v1/orchestrators/{name}/upgrade", operation_id = "upgradeOrchestrator", tag = "clusters",
    params(ClusterPath, DryRunQuery, ChangeHeaders), request_body = UpgradeCluster,
    responses(ChangedOrPlanned)
)]
pub async fn upgrade(
    caller: Caller,
    Path(path): Path<ClusterPath>,
    Query(query): Query<DryRunQuery>,
    headers: Change,
    Json(body): Json<UpgradeCluster>,
) -> Result<HttpResponse, Problem> {
    let (cluster, version) = (path.name, body.version);
    if query.dry_run {
        return planned(&caller, PlanChange::Upgrade { cluster, version }).await;
    }
    answer::change(&caller, Request::ClusterUpgrade { cluster, version, idempotency_key: None }, headers).await
}

/// Give the machines new certificates, or with `dryRun` see how.
#[utoipa::path(
    post,
    path = "/v1/orchestrators/{name}/renew",
    operation_id = "renewOrchestrator",
    tag = "clusters",
    params(ClusterPath, DryRunQuery, ChangeHeaders),
    responses(ChangedOrPlanned)
)]
pub async fn renew(
    caller: Caller,
    Path(path): Path<ClusterPath>,
    Query(query): Query<DryRunQuery>,
    headers: Change,
) -> Result<HttpResponse, Problem> {
    let cluster = path.name;
    if query.dry_run {
        return planned(&caller, PlanChange::Renew { cluster }).await;
    }
    answer::change(&caller, Request::ClusterRenew { cluster, idempotency_key: None }, headers).await
}

async fn planned(caller: &Caller, change: PlanChange) -> Result<HttpResponse, Problem> {
    let Response::Plan(plan) = caller.ask(Request::ClusterPlan { change }).await? else {
        return Err(unexpected("a plan"));
    };
    answer::json(&plan, None)
}

/// An answer with the generation as its tag, or that the caller has it already.
pub(super) fn tagged(
    headers: &HeaderMap,
    generation: u64,
    answer: impl FnOnce() -> Result<HttpResponse, Problem>,
) -> Result<HttpResponse, Problem> {
    let tag = [(header::ETAG, etag(generation)), (header::CACHE_CONTROL, "no-cache".to_owned())];
    if is_known(headers, generation) {
        return Ok((StatusCode::NOT_MODIFIED, tag).into_response());
    }
    let mut response = answer()?;
    for (name, value) in tag {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}
