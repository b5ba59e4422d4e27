//! The logins at registries and repositories that the configuration names. Passwords are read when they are needed and kept nowhere,
//! so that one that was changed holds at once.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use muster_engine::failure::Failure;
use muster_engine::login::{RegistryLogin, registry_of};
use muster_protocol::{ErrorCode, SecretString};

/// The logins, by their `HOST` or `HOST:PORT`: a registry as images name it, a repository as its URL does.
#[derive(Clone, Debug, Default)]
pub struct Logins(BTreeMap<String, ConfiguredLogin>);

/// A login whose password lies in a file.
#[derive(Clone, Debug)]
pub struct ConfiguredLogin {
    /// The user's name at the registry.
    pub user: String,
    /// The file of the password: a path, or the name of a systemd credential of the daemon's unit.
    pub password_file: PathBuf,
}

impl Logins {
    /// These logins.
    pub fn new(logins: BTreeMap<String, ConfiguredLogin>) -> Self {
        Self(logins)
    }

    /// The login for an image, if there is one at its registry.
    ///
    /// # Errors
    /// If its password cannot be read. Nothing was asked of anybody then.
    pub async fn of_image(&self, image: &str) -> Result<Option<RegistryLogin>, Failure> {
        self.at(registry_of(image)).await
    }

    /// The login at a registry or repository, if there is one.
    ///
    /// # Errors
    /// If its password cannot be read. Nothing was asked of anybody then.
    pub async fn at(&self, registry: &str) -> Result<Option<RegistryLogin>, Failure> {
        let Some(login) = self.0.get(registry) else { return Ok(None) };
        let path = place(&login.password_file);
        let password = read(&path).await.map_err(|error| {
            let message = format!("the password for {registry} cannot be read from {}: {error}", path.display());
            Failure::not_applied(ErrorCode::Credentials, message)
                .with_remedy("put the file right, or `password_file` under `logins` in the daemon's configuration")
        })?;
        Ok(Some(RegistryLogin { registry: registry.to_owned(), user: login.user.clone(), password }))
    }

    /// The registries, each with what keeps its login from being used.
    pub async fn check(&self) -> Vec<(&str, Option<Failure>)> {
        let mut checked = Vec::new();
        for registry in self.0.keys() {
            checked.push((registry.as_str(), self.at(registry).await.err()));
        }
        checked
    }
}

/// A name without a folder is a systemd credential's.
fn place(file: &Path) -> PathBuf {
    match std::env::var_os("CREDENTIALS_DIRECTORY") {
        Some(folder) if file.is_relative() => Path::new(&folder).join(file),
        Some(_) | None => file.to_owned(),
    }
}

/// The first line of the file: editors and `echo` end it with a newline, which is no part of the password.
async fn read(path: &Path) -> io::Result<SecretString> {
    let text = SecretString::new(tokio::fs::read_to_string(path).await?);
    let password = text.expose().lines().next().unwrap_or_default();
    if password.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is empty"));
    }
    Ok(SecretString::new(password))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logins(password_file: &Path) -> Logins {
        let login = ConfiguredLogin { user: "ci".to_owned(), password_file: password_file.to_owned() };
        Logins::new([("registry.lan:5000".to_owned(), login)].into())
    }

    #[tokio::test]
    async fn the_password_is_the_files_first_line_as_it_is_now() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        let logins = logins(&file);
        for password in ["first", "second"] {
            std::fs::write(&file, format!("{password}\n")).unwrap();
            let login = logins.of_image("registry.lan:5000/team/web:1").await.unwrap().unwrap();
            assert_eq!((login.registry.as_str(), login.user.as_str()), ("registry.lan:5000", "ci"));
            assert_eq!(login.password.expose(), password);
        }
        assert_eq!(logins.of_image("web:1").await.unwrap(), None);
        assert_eq!(logins.of_image("registry.lan/team/web:1").await.unwrap(), None, "another port is another registry");
    }

    #[tokio::test]
    async fn a_password_that_cannot_be_read_is_told_by_its_file_and_registry() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        let failure = logins(&file).of_image("registry.lan:5000/web").await.unwrap_err();
        assert_eq!(failure.code, ErrorCode::Credentials);
        assert!(failure.message.contains("registry.lan:5000") && failure.message.contains("password"), "{failure}");
        std::fs::write(&file, "\n").unwrap();
        let checked = logins(&file);
        let checked = checked.check().await;
        assert!(checked[0].1.as_ref().unwrap().message.contains("it is empty"), "{checked:?}");
    }
}
