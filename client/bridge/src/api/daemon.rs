//! The daemon and the bridge themselves: doctor, version, whoami.

use axum::response::Response as HttpResponse;
use muster_protocol::model::token::{AccessRole, TokenInfo};
use muster_protocol::response::Whoami as DaemonWhoami;
use muster_protocol::{Name, Request, Response, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::answer;
use super::caller::{Caller, unexpected};
use super::responses::Problems;
use crate::problem::Problem;
use crate::schema;

/// Look at everything that Muster needs.
#[utoipa::path(
    get, path = "/v1/doctor", operation_id = "doctor", tag = "daemon",
    responses((status = 200, description = "What was found.", body = Vec<schema::Finding>), Problems)
)]
pub async fn doctor(caller: Caller) -> Result<HttpResponse, Problem> {
    let Response::Doctor(findings) = caller.ask(Request::Doctor).await? else {
        return Err(unexpected("findings"));
    };
    answer::json(&findings, None)
}

/// Versions.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    /// The bridge's.
    bridge: &'static str,
    /// The daemon's.
    daemon: String,
    /// The daemon's installation.
    #[schema(value_type = String, format = Uuid)]
    instance: muster_protocol::InstanceId,
}

/// The versions of bridge and daemon.
#[utoipa::path(
    get, path = "/v1/version", operation_id = "version", tag = "daemon",
    responses((status = 200, description = "Versions.", body = Version), Problems)
)]
pub async fn version(caller: Caller) -> Result<HttpResponse, Problem> {
    let daemon = whoami_of_the_bridge(&caller).await?;
    let version =
        Version { bridge: env!("CARGO_PKG_VERSION"), daemon: daemon.daemon_version, instance: daemon.instance };
    answer::json(&version, None)
}

async fn whoami_of_the_bridge(caller: &Caller) -> Result<DaemonWhoami, Problem> {
    let Response::Whoami(whoami) = caller.ask(Request::Whoami).await? else {
        return Err(unexpected("who is who"));
    };
    Ok(whoami)
}

/// The caller, as the bridge sees it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Whoami {
    /// The token's name.
    #[schema(value_type = String)]
    owner: Name,
    /// What its holder may do.
    #[schema(value_type = String)]
    role: AccessRole,
    /// The only clusters that its holder may see and change; all if there are none.
    #[schema(value_type = Vec<String>)]
    clusters: Vec<Name>,
    /// When the token ends.
    #[schema(value_type = String, format = DateTime)]
    expires: Timestamp,
}

/// Who the caller is.
#[utoipa::path(
    get, path = "/v1/whoami", operation_id = "whoami", tag = "daemon",
    responses((status = 200, description = "The caller.", body = Whoami), Problems)
)]
pub async fn whoami(caller: Caller) -> Result<HttpResponse, Problem> {
    let grant = caller.principal.grant;
    let TokenInfo { name: owner, role, clusters, expires_at: expires, .. } = grant;
    let whoami = Whoami { owner, role, clusters, expires };
    answer::json(&whoami, None)
}
