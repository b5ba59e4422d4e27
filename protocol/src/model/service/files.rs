//! What stands in the file systems of a service's containers.

use serde::{Deserialize, Serialize};

use crate::{Name, SecretString};

/// A secret, as a file in the container.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretFile {
    /// Its name, unique in the service.
    pub name: Name,
    /// The value. Needed when the service is created; left out of an update it stays as it was. Never shown.
    #[serde(default)]
    pub value: Option<SecretString>,
    /// The file's absolute path; `/run/secrets/NAME` if left out.
    #[serde(default)]
    pub path: Option<String>,
}

impl SecretFile {
    /// Where the container finds it.
    pub fn target(&self) -> String {
        self.path.clone().unwrap_or_else(|| format!("/run/secrets/{}", self.name))
    }
}

/// A configuration file in the container.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConfigFile {
    /// The file's absolute path.
    pub path: String,
    /// Its text.
    pub content: String,
}

/// What is mounted into each copy of a service.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mount {
    /// The kind.
    pub kind: MountKind,
    /// `volume`: the volume's name (kept when copies go; made anew where it is not). `bind`: a path on the machine. `tmpfs`: nothing.
    #[serde(default)]
    pub source: Option<String>,
    /// The absolute path in the container.
    pub target: String,
    /// Whether it can only be read.
    #[serde(default)]
    pub read_only: bool,
}

/// The kind of a mount.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MountKind {
    /// Storage that outlives the copy.
    Volume,
    /// A path of the machine.
    Bind,
    /// Memory; gone with the copy.
    Tmpfs,
}
