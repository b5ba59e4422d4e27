//! The query of a request.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use muster_protocol::page::PageRequest;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use super::Fields;
use crate::problem::Problem;

/// A query, by the names of its parameters.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let query = axum::extract::Query::<T>::try_from_uri(&parts.uri);
        let axum::extract::Query(value) = query.map_err(|refused| Problem::invalid("query", refused.body_text()))?;
        Ok(Self(value))
    }
}

/// Which fields of the answer.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FieldsQuery {
    /// Only these fields of the answer, with commas between; `a.b` is field `b` of `a`. All, if left out.
    #[param(value_type = Option<String>, required = false, example = "name,phase")]
    pub fields: Option<Fields>,
}

/// Whether a change is only planned.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DryRunQuery {
    /// Answer with the plan of the change instead of making it.
    #[param(required = false)]
    pub dry_run: bool,
}

/// The longest cursor that is read.
const MAX_CURSOR: usize = 512;

/// The page that `limit` and `after` ask for.
///
/// # Errors
/// If they cannot be.
pub fn page(limit: Option<u32>, after: Option<String>) -> Result<PageRequest, Problem> {
    if limit.is_some_and(|limit| limit == 0 || limit > PageRequest::MAX_LIMIT) {
        return Err(Problem::invalid("limit", format!("limit is 1 to {}", PageRequest::MAX_LIMIT)));
    }
    if after.as_ref().is_some_and(|after| after.len() > MAX_CURSOR) {
        return Err(Problem::invalid("after", "after is not a cursor of this list"));
    }
    Ok(PageRequest { limit, after })
}
