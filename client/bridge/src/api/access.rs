//! Files with which people's own tools reach a cluster.

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response as HttpResponse};
use muster_protocol::model::access::AccessKind;
use muster_protocol::model::token::AccessRole;
use muster_protocol::{Request, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::caller::{Caller, unexpected};
use super::responses::Problems;
use crate::extract::path::ClusterPath;
use crate::extract::{Json, Path};
use crate::problem::Problem;

/// When the file's certificate ends.
const NOT_AFTER: HeaderName = HeaderName::from_static("x-muster-not-after");
/// What the file allows.
const ROLE: HeaderName = HeaderName::from_static("x-muster-role");

/// Which file; what is left out is for the orchestrator's own tool, with the token's role, and for a day.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct AccessCluster {
    /// Which tool it is for: `kubeconfig` or `docker-context`.
    #[schema(value_type = Option<String>, example = "kubeconfig")]
    kind: Option<AccessKind>,
    /// What it allows: `viewer`, `operator` or `admin`, at most the token's own role.
    #[schema(value_type = Option<String>, example = "viewer")]
    role: Option<AccessRole>,
    /// How long it holds, in seconds; never longer than the cluster's authority.
    #[schema(minimum = 60)]
    valid_seconds: Option<u64>,
}

/// A file with which `kubectl` or `docker` reaches the cluster, with a new certificate that ends: a kubeconfig, or a tar
/// archive for `docker context import`. Asked for again, there are two.
#[utoipa::path(
    post, path = "/v1/orchestrators/{name}/access", operation_id = "accessOrchestrator", tag = "clusters",
    params(ClusterPath), request_body = AccessCluster,
    responses(
        (status = 200, description = "The file. It is a secret.",
            content((String = "application/yaml"), (Vec<u8> = "application/x-tar")),
            headers(
                ("Content-Disposition" = String, description = "A name for the file."),
                ("X-Muster-Not-After" = String, description = "When its certificate ends."),
                ("X-Muster-Role" = String, description = "What it allows.")
            )),
        Problems
    )
)]
pub async fn access(
    caller: Caller,
    Path(path): Path<ClusterPath>,
    Json(body): Json<AccessCluster>,
) -> Result<HttpResponse, Problem> {
    let AccessCluster { kind, role, valid_seconds } = body;
    let request = Request::ClusterAccess { cluster: path.name, kind, role, valid_seconds };
    let Response::Access(file) = caller.ask(request).await? else {
        return Err(unexpected("a file"));
    };
    let content_type = match file.kind {
        AccessKind::Kubeconfig => "application/yaml",
        AccessKind::DockerContext => "application/x-tar",
        AccessKind::Unknown(_) => "application/octet-stream",
    };
    let name = format!("attachment; filename=\"{}\"", file.name);
    let headers = [
        (header::CONTENT_TYPE, content_type.to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::CONTENT_DISPOSITION, name),
        (NOT_AFTER, file.not_after.to_string()),
        (ROLE, file.role.to_string()),
    ];
    let mut response = file.content.expose().to_vec().into_response();
    for (header, value) in headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(header, value);
        }
    }
    Ok(response)
}
