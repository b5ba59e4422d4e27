//! Accounts at infrastructures.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response as HttpResponse};
use muster_protocol::model::account::AccountSpec;
use muster_protocol::model::cluster::Infrastructure;
use muster_protocol::{Request, Response, SecretString};
use serde::Deserialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

use super::answer;
use super::caller::{Caller, unexpected};
use super::responses::Problems;
use crate::extract::path::AccountPath;
use crate::extract::query::FieldsQuery;
use crate::extract::{Json, Path, Query};
use crate::problem::Problem;
use crate::schema;

/// All accounts; there are few, so in one answer.
#[utoipa::path(
    get, path = "/v1/accounts", operation_id = "listAccounts", tag = "accounts", params(FieldsQuery),
    responses((status = 200, description = "The accounts.", body = Vec<schema::AccountInfo>), Problems)
)]
pub async fn list(caller: Caller, Query(query): Query<FieldsQuery>) -> Result<HttpResponse, Problem> {
    let Response::Accounts(accounts) = caller.ask(Request::AccountList).await? else {
        return Err(unexpected("accounts"));
    };
    answer::json(&accounts, query.fields.as_ref())
}

/// An account without its name, which the path says.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewAccount {
    /// The kind of infrastructure.
    #[schema(value_type = String, example = "local")]
    infrastructure: Infrastructure,
    /// Where it answers, if not at its usual place.
    #[serde(default)]
    endpoint: Option<String>,
    /// Credentials by their name at this infrastructure. They are sealed in the store and never shown again.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>)]
    credentials: BTreeMap<String, SecretString>,
    /// Defaults for the clusters that use it, by name.
    #[serde(default)]
    defaults: BTreeMap<String, String>,
}

/// Add or replace an account.
#[utoipa::path(
    put, path = "/v1/accounts/{account}", operation_id = "addAccount", tag = "accounts", params(AccountPath),
    request_body = NewAccount,
    responses((status = 200, description = "The account.", body = schema::AccountInfo), Problems)
)]
pub async fn put(
    caller: Caller,
    Path(path): Path<AccountPath>,
    Json(body): Json<NewAccount>,
) -> Result<HttpResponse, Problem> {
    let NewAccount { infrastructure, endpoint, credentials, defaults } = body;
    let spec = AccountSpec { name: path.account, infrastructure, endpoint, credentials, defaults };
    let Response::Account(info) = caller.ask(Request::AccountAdd { spec }).await? else {
        return Err(unexpected("an account"));
    };
    answer::json(&info, None)
}

/// Remove an account that no cluster uses.
#[utoipa::path(
    delete, path = "/v1/accounts/{account}", operation_id = "removeAccount", tag = "accounts", params(AccountPath),
    responses((status = 204, description = "It is removed."), Problems)
)]
pub async fn remove(caller: Caller, Path(path): Path<AccountPath>) -> Result<HttpResponse, Problem> {
    let Response::Done = caller.ask(Request::AccountRemove { account: path.account }).await? else {
        return Err(unexpected("that it is done"));
    };
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Ask the infrastructure with an account.
#[utoipa::path(
    post, path = "/v1/accounts/{account}/check", operation_id = "checkAccount", tag = "accounts",
    params(AccountPath),
    responses((status = 200, description = "What was found.", body = schema::AccountCheck), Problems)
)]
pub async fn check(caller: Caller, Path(path): Path<AccountPath>) -> Result<HttpResponse, Problem> {
    let Response::AccountCheck(check) = caller.ask(Request::AccountCheck { account: path.account }).await? else {
        return Err(unexpected("an account check"));
    };
    answer::json(&check, None)
}
