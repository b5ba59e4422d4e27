//! Registries that want a login: one that the daemon's configuration has one for, and one that it has none for.

use anyhow::Result;
use muster_tests::kubernetes::password_file;
use muster_tests::registry::{self, LOGIN, Registry, cached_storage};
use tempfile::NamedTempFile;

/// Both registries, with the images of the open one.
pub(super) struct Private {
    known: String,
    foreign: String,
    password: NamedTempFile,
    _registries: [Registry; 2],
}

impl Private {
    /// Starts them.
    pub(super) async fn start() -> Result<Self> {
        let storage = cached_storage()?;
        let registries = [Registry::start_with_login(&storage).await?, Registry::start_with_login(&storage).await?];
        let host = registry::host_address()?;
        let [known, foreign] = registries.each_ref().map(|one| format!("{host}:{}", one.port()));
        Ok(Self { known, foreign, password: password_file()?, _registries: registries })
    }

    /// Both, for the lists of registries without TLS.
    pub(super) fn registries(&self) -> [&str; 2] {
        [&self.known, &self.foreign]
    }

    /// The part of the daemon's configuration that has the login.
    pub(super) fn configuration(&self) -> String {
        let (known, password) = (&self.known, self.password.path().display());
        format!("[logins.\"{known}\"]\nuser = \"{}\"\npassword_file = \"{password}\"\n", LOGIN.0)
    }

    /// An image that is pulled with the login.
    pub(super) fn image(&self, name: &str) -> String {
        format!("{}/library/{name}", self.known)
    }

    /// An image that nobody has a login for.
    pub(super) fn image_without_login(&self, name: &str) -> String {
        format!("{}/library/{name}", self.foreign)
    }
}
