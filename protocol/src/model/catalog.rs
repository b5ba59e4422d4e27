//! Catalog templates, as the paper's getCatalogTemplateData shows them.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Name;

/// The type of a template's parameter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParameterKind {
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// Bytes, such as `512Mi`.
    Bytes,
    /// Processor time, such as `500m`.
    Cpu,
    /// Text that is sealed and never shown; made up at random where none is given.
    Secret,
}

impl fmt::Display for ParameterKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::Bytes => "bytes",
            Self::Cpu => "cpu",
            Self::Secret => "secret",
        })
    }
}

/// One parameter of a template.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
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
#[serde(rename_all = "camelCase")]
pub struct BrokenTemplate {
    /// The file.
    pub file: String,
    /// What is wrong with it.
    pub message: String,
}

/// All that the catalog has.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CatalogListing {
    /// Usable templates, by name.
    pub templates: Vec<TemplateInfo>,
    /// Files that were skipped, and why.
    pub broken: Vec<BrokenTemplate>,
}
