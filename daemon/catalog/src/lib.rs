//! The catalog: templates with typed parameters that render to services.
//!
//! A template is one YAML file: see `daemon/catalog/README.md` for its form. The built-in ones are part of the
//! program; a folder of the user's own is read beside them, and what is broken there is
//! reported and skipped. A template in the catalog was proved to render with every value at
//! the edge of what it allows, so a user's mistake is always reported in the user's terms.

mod body;
mod builtin;
mod load;
mod parameter;
mod render;
mod template;
mod text;
mod value;

use std::collections::BTreeMap;

use muster_protocol::model::catalog::{BrokenTemplate, CatalogListing, TemplateInfo};
use muster_protocol::model::service::ServiceSpec;
use muster_protocol::{Error, Name, SecretString, nearest};

use crate::template::Template;

/// All templates, and what was wrong with those that could not be used.
pub struct Catalog {
    templates: BTreeMap<Name, Template>,
    broken: Vec<BrokenTemplate>,
}

impl Catalog {
    /// Everything the catalog has.
    pub fn list(&self) -> CatalogListing {
        CatalogListing {
            templates: self.templates.values().map(|template| template.info.clone()).collect(),
            broken: self.broken.clone(),
        }
    }

    /// One template.
    ///
    /// # Errors
    /// `not-found`, with the nearest name.
    pub fn show(&self, template: &str) -> Result<TemplateInfo, Error> {
        Ok(self.find(template)?.info.clone())
    }

    /// Makes the services of a template, in the order in which they are best created: the main one, which may need
    /// the others, is the last. The main service gets the given name (the template's if none is given), the others that
    /// name with `-` and their own key behind it. Secrets that are not given are made at random, once for all services;
    /// calling this twice makes two different sets, so keep the result.
    ///
    /// # Errors
    /// `not-found` for the template, `invalid-argument` with the parameter as `field` for a value. No error holds a secret.
    pub fn render(
        &self,
        template: &str,
        name: Option<Name>,
        values: &BTreeMap<String, SecretString>,
    ) -> Result<Vec<ServiceSpec>, Error> {
        let template = self.find(template)?;
        let name = name.unwrap_or_else(|| template.info.name.clone());
        template.render(&name, values)
    }

    /// Paths of machines that services of this template may bind whoever creates them; none if there is no such template.
    pub fn granted_binds(&self, template: &str) -> &[String] {
        self.find(template).map_or(&[], |template| &template.granted_binds)
    }

    fn find(&self, name: &str) -> Result<&Template, Error> {
        if let Some((_, template)) = self.templates.iter().find(|(known, _)| known.as_str() == name) {
            return Ok(template);
        }
        let error = Error::not_found("template", name);
        Err(match nearest(name, self.templates.keys().map(Name::as_str)) {
            Some(nearest) => error.with_remedy(format!("did you mean `{nearest}`?")),
            None => error.with_remedy("see what there is with `muster catalog list`"),
        })
    }
}
