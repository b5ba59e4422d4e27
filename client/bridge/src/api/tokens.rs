//! Tokens: what remote callers show.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response as HttpResponse};
use muster_protocol::model::token::{AccessRole, NewToken, TokenSpec};
use muster_protocol::{Name, Request, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::answer;
use super::caller::{Caller, unexpected};
use super::responses::Problems;
use crate::extract::path::TokenPath;
use crate::extract::query::page;
use crate::extract::{Fields, Json, Path, Query};
use crate::problem::Problem;
use crate::schema;

/// Which tokens.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TokenQuery {
    /// At most so many.
    #[param(required = false, minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Behind the page whose `next` this is.
    #[param(required = false, max_length = 512)]
    after: Option<String>,
    /// Only these fields of each, with commas between.
    #[param(value_type = Option<String>, required = false, example = "name,expiresAt")]
    fields: Option<Fields>,
}

/// Tokens, by name; never the tokens themselves.
#[utoipa::path(
    get, path = "/v1/tokens", operation_id = "listTokens", tag = "tokens", params(TokenQuery),
    responses((status = 200, description = "A page of tokens.", body = answer::List<schema::TokenInfo>), Problems)
)]
pub async fn list(caller: Caller, Query(query): Query<TokenQuery>) -> Result<HttpResponse, Problem> {
    let page = page(query.limit, query.after)?;
    let Response::Tokens(page) = caller.ask(Request::TokenList { page }).await? else {
        return Err(unexpected("tokens"));
    };
    answer::list(&page, query.fields.as_ref())
}

/// A token without its name, which the path says.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WantedToken {
    /// What its holder may do.
    #[schema(value_type = String, example = "viewer")]
    role: AccessRole,
    /// The only clusters that its holder may see and change; all if there are none.
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 64)]
    clusters: Vec<Name>,
    /// How long it holds.
    #[schema(minimum = 60, maximum = 315_360_000, example = 2_592_000)]
    lifetime_seconds: u64,
}

/// A token that was just made: the only answer that has it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MadeToken {
    /// The token.
    token: String,
    /// What is shown of it.
    info: schema::TokenInfo,
}

/// Make a token. It is shown this once; what is done with it is done by `token:NAME`.
#[utoipa::path(
    put, path = "/v1/tokens/{token}", operation_id = "createToken", tag = "tokens", params(TokenPath),
    request_body = WantedToken,
    responses((status = 201, description = "The token.", body = MadeToken), Problems)
)]
pub async fn create(
    caller: Caller,
    Path(path): Path<TokenPath>,
    Json(body): Json<WantedToken>,
) -> Result<HttpResponse, Problem> {
    let WantedToken { role, clusters, lifetime_seconds } = body;
    let spec = TokenSpec { name: path.token, role, clusters, lifetime_seconds };
    let Response::NewToken(new) = caller.ask(Request::TokenCreate { spec }).await? else {
        return Err(unexpected("a new token"));
    };
    let NewToken { token, info } = *new;
    let mut response = answer::json(&MadeToken { token: token.expose().to_owned(), info }, None)?;
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// Take a token off the list: it grants nothing any more.
#[utoipa::path(
    delete, path = "/v1/tokens/{token}", operation_id = "revokeToken", tag = "tokens", params(TokenPath),
    responses((status = 204, description = "It is revoked."), Problems)
)]
pub async fn revoke(caller: Caller, Path(path): Path<TokenPath>) -> Result<HttpResponse, Problem> {
    let Response::Done = caller.ask(Request::TokenRevoke { token: path.token }).await? else {
        return Err(unexpected("that it is done"));
    };
    Ok(StatusCode::NO_CONTENT.into_response())
}
