//! The catalog of templates.

use axum::response::Response as HttpResponse;
use muster_protocol::{Request, Response};

use super::answer;
use super::caller::{Caller, unexpected};
use super::responses::Problems;
use crate::extract::path::TemplatePath;
use crate::extract::query::FieldsQuery;
use crate::extract::{Path, Query};
use crate::problem::Problem;
use crate::schema;

/// Every template, and the files that could not be used.
#[utoipa::path(
    get, path = "/v1/catalog/templates", operation_id = "listCatalogTemplates", tag = "catalog",
    params(FieldsQuery),
    responses((status = 200, description = "The catalog.", body = schema::CatalogListing), Problems)
)]
pub async fn list(caller: Caller, Query(query): Query<FieldsQuery>) -> Result<HttpResponse, Problem> {
    let Response::Catalog(listing) = caller.ask(Request::CatalogList).await? else {
        return Err(unexpected("the catalog"));
    };
    answer::json(&listing, query.fields.as_ref())
}

/// One template with its parameters.
#[utoipa::path(
    get, path = "/v1/catalog/templates/{template}", operation_id = "getCatalogTemplateData", tag = "catalog",
    params(TemplatePath, FieldsQuery),
    responses((status = 200, description = "The template.", body = schema::TemplateInfo), Problems)
)]
pub async fn show(
    caller: Caller,
    Path(path): Path<TemplatePath>,
    Query(query): Query<FieldsQuery>,
) -> Result<HttpResponse, Problem> {
    let Response::Template(info) = caller.ask(Request::CatalogShow { template: path.template }).await? else {
        return Err(unexpected("a template"));
    };
    answer::json(&info, query.fields.as_ref())
}
