//! Files with which people's own tools reach a cluster: a kubeconfig for `kubectl`, a context for `docker`.

use serde::{Deserialize, Serialize};

use crate::growing::growing_words;
use crate::model::token::AccessRole;
use crate::{SecretBytes, Timestamp};

growing_words! {
    /// Which tool the file is for.
    pub enum AccessKind {
        /// A kubeconfig, as YAML: for `kubectl` and every other client of Kubernetes.
        Kubeconfig = 0 => "kubeconfig",
        /// A tar archive for `docker context import`.
        DockerContext = 1 => "docker-context",
    }
}

/// A file with which a tool reaches a cluster, with a certificate of its own that ends.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessFile {
    /// Which tool it is for.
    pub kind: AccessKind,
    /// A name for the file, without a folder.
    pub name: String,
    /// What its holder may do.
    pub role: AccessRole,
    /// From then on it is refused.
    pub not_after: Timestamp,
    /// The file.
    pub content: SecretBytes,
}

impl AccessFile {
    /// How long a file holds if nothing else is said.
    pub const DEFAULT_SECONDS: u64 = 24 * 3600;
}
