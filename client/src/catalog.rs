//! Calls about the catalog.

use muster_protocol::model::catalog::{CatalogListing, TemplateInfo};
use muster_protocol::{Name, Request, Response};

use crate::{Client, ClientError};

impl Client {
    /// Every template, and the files that could not be used.
    pub async fn catalog_list(&self) -> Result<CatalogListing, ClientError> {
        match self.request(Request::CatalogList).await? {
            Response::Catalog(listing) => Ok(listing),
            other => Err(ClientError::unexpected("the catalog", &other)),
        }
    }

    /// One template with its parameters.
    pub async fn catalog_show(&self, template: &Name) -> Result<TemplateInfo, ClientError> {
        match self.request(Request::CatalogShow { template: template.clone() }).await? {
            Response::Template(info) => Ok(*info),
            other => Err(ClientError::unexpected("a template", &other)),
        }
    }
}
