//! Reads of the catalog.
//!
//! - listCatalogTemplates: every template, and what was skipped.
//! - getCatalogTemplateData: one template.

use muster_protocol::{Error, Name, Response};

use crate::app::App;

/// The catalog.
pub async fn list(app: &App) -> Result<Response, Error> {
    Ok(Response::Catalog(app.shelf.catalog().await.list()))
}

/// One template.
pub async fn show(app: &App, template: &Name) -> Result<Response, Error> {
    let info = app.shelf.catalog().await.show(template.as_str())?;
    Ok(Response::Template(Box::new(info)))
}
