//! getCatalogTemplateData: one template.

use muster_protocol::{Error, Name, Response};

use crate::gateway::context::Context;

/// One template.
pub async fn show(context: &Context, template: &Name) -> Result<Response, Error> {
    let info = context.shelf.catalog().await.show(template.as_str())?;
    Ok(Response::Template(Box::new(info)))
}
