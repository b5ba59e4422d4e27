//! Calls about the catalog.

use muster_protocol::model::catalog::{CatalogListing, TemplateInfo};
use muster_protocol::{Name, Request, Response};

use crate::{Client, ClientError};

impl Client {
    /// Every template, and the files that could not be used.
    pub async fn catalog_list(&self) -> Result<CatalogListing, ClientError> {
        let Response::Catalog(listing) = self.request(Request::CatalogList).await? else {
            return Err(ClientError::unexpected("the catalog"));
        };
        Ok(listing)
    }

    /// One template with its parameters.
    pub async fn catalog_show(&self, template: &Name) -> Result<TemplateInfo, ClientError> {
        let Response::Template(info) = self.request(Request::CatalogShow { template: template.clone() }).await? else {
            return Err(ClientError::unexpected("a template"));
        };
        Ok(*info)
    }
}
