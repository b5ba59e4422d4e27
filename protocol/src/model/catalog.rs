//! Catalog templates, as the paper's getCatalogTemplateData shows them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Name;
use crate::growing::growing_words;

growing_words! {
    /// The type of a template's parameter.
    pub enum ParameterKind {
        /// Text.
        String = 0 => "string",
        /// A whole number.
        Integer = 1 => "integer",
        /// `true` or `false`.
        Boolean = 2 => "boolean",
        /// Bytes, such as `512Mi`.
        Bytes = 3 => "bytes",
        /// Processor time, such as `500m`.
        Cpu = 4 => "cpu",
        /// Text that is sealed and never shown; made up at random where none is given.
        Secret = 5 => "secret",
    }
}

/// One parameter of a template.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ParameterInfo {
    /// Its name, as given to `--set`.
    pub name: String,
    /// Its type.
    pub kind: ParameterKind,
    /// What it is for.
    pub description: String,
    /// Its value where none is given; a parameter without a default must be given.
    pub default: Option<String>,
    /// The smallest value, for integers, bytes and cpu.
    pub minimum: Option<i64>,
    /// The largest value, for integers, bytes and cpu.
    pub maximum: Option<i64>,
    /// The only values that are allowed, if not empty.
    pub one_of: Vec<String>,
    /// Whether a value must be given.
    pub required: bool,
}

/// One template of the catalog.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TemplateInfo {
    /// Its name.
    pub name: Name,
    /// Its own version.
    pub version: String,
    /// What it is, in one line.
    pub title: String,
    /// What it is, at length.
    pub description: String,
    /// Where it came from: `built-in`, or the file.
    pub origin: String,
    /// Its parameters.
    pub parameters: Vec<ParameterInfo>,
    /// The services it makes: suffix behind the given name → image.
    pub services: BTreeMap<String, String>,
}

/// A template file that could not be used.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct BrokenTemplate {
    /// The file.
    pub file: String,
    /// What is wrong with it.
    pub message: String,
}

/// All that the catalog has.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct CatalogListing {
    /// Usable templates, by name.
    pub templates: Vec<TemplateInfo>,
    /// Files that were skipped, and why.
    pub broken: Vec<BrokenTemplate>,
}
