//! listCatalogTemplates: every template, and what was skipped.

use muster_protocol::{Error, Response};

use crate::gateway::context::Context;

/// The catalog.
pub async fn list(context: &Context) -> Result<Response, Error> {
    Ok(Response::Catalog(context.shelf.catalog().await.list()))
}
