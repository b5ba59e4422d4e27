//! On which machines a service may run.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A condition on the machine that runs a copy, written `role==worker`, `host!=worker-2` or `label.disk==ssd`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Constraint {
    /// What is compared.
    pub attribute: Attribute,
    /// Whether it must be equal, or must not be.
    pub equal: bool,
    /// With what.
    pub value: String,
}

/// What of a machine a constraint compares.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Attribute {
    /// `control-plane` or `worker`.
    Role,
    /// The machine's name within the cluster.
    Host,
    /// One of the orchestrator's labels on the machine.
    Label(String),
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.attribute {
            Attribute::Role => f.write_str("role")?,
            Attribute::Host => f.write_str("host")?,
            Attribute::Label(label) => write!(f, "label.{label}")?,
        }
        write!(f, "{}{}", if self.equal { "==" } else { "!=" }, self.value)
    }
}

impl FromStr for Constraint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = || {
            format!(
                "`{text}` is not a constraint; write for example `role==worker`, `host!=worker-2` or `label.disk==ssd`"
            )
        };
        let (attribute, equal, value) = match (text.split_once("=="), text.split_once("!=")) {
            (Some((attribute, value)), None) => (attribute, true, value),
            (None, Some((attribute, value))) => (attribute, false, value),
            (Some(_), Some(_)) | (None, None) => return Err(form()),
        };
        let (attribute, value) = (attribute.trim(), value.trim());
        if value.is_empty() {
            return Err(form());
        }
        let attribute = match attribute {
            "role" if value == "control-plane" || value == "worker" => Attribute::Role,
            "role" => return Err(format!("`{text}`: a role is `control-plane` or `worker`")),
            "host" => Attribute::Host,
            other => match other.strip_prefix("label.") {
                Some(label) if !label.is_empty() => Attribute::Label(label.to_owned()),
                Some(_) | None => return Err(form()),
            },
        };
        Ok(Self { attribute, equal, value: value.to_owned() })
    }
}

impl TryFrom<String> for Constraint {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Constraint> for String {
    fn from(constraint: Constraint) -> Self {
        constraint.to_string()
    }
}
