//! The logins with which a machine gets Kubernetes: at the registry of its images, and at the repository of its packages.
//! They are files on the machine that root alone can read, and no part of a recipe: a password that was changed makes no
//! machine out of date.

use muster_engine::failure::Failure;
use muster_engine::login::{RegistryLogin, registry_of};
use muster_engine::machine::MachineFile;
use muster_protocol::ErrorCode;

use super::options::KubernetesOptions;
use super::{FOLDER, bytes};
use crate::logins::Logins;

/// The logins of one machine's cluster.
#[derive(Default)]
pub(super) struct MachineLogins {
    images: Option<RegistryLogin>,
    packages: Option<RegistryLogin>,
}

impl MachineLogins {
    /// Those that are configured for the places of these options.
    pub(super) async fn read(logins: &Logins, options: &KubernetesOptions) -> Result<Self, Failure> {
        Ok(Self {
            images: logins.at(registry_of(&format!("{}/image", options.image_repository))).await?,
            packages: for_apt(logins, &options.package_repository).await?,
        })
    }

    /// The files. Without a login they are empty, for the machine may have had one.
    pub(super) fn files(&self, options: &KubernetesOptions) -> Vec<MachineFile> {
        let for_containerd = self.images.as_ref().map(containerd).unwrap_or_default();
        let for_apt = self.packages.as_ref().map(|login| apt(login, &options.package_repository)).unwrap_or_default();
        let for_curl = self.packages.as_ref().map(curl).unwrap_or_default();
        [("containerd-login.toml", for_containerd), ("apt-login.conf", for_apt), ("curl-login.conf", for_curl)]
            .map(|(name, text)| MachineFile { path: format!("{FOLDER}/{name}"), mode: 0o600, content: bytes(text) })
            .into()
    }
}

/// The login at the host of a package repository. The words of apt's own file of logins end with a blank, and nothing can
/// quote one.
pub(super) async fn for_apt(logins: &Logins, url: &str) -> Result<Option<RegistryLogin>, Failure> {
    let Some(host) = host_of(url) else { return Ok(None) };
    let Some(login) = logins.at(host).await? else { return Ok(None) };
    if [login.user.as_str(), login.password.expose()].iter().any(|word| word.contains(char::is_whitespace)) {
        let message = format!("the login for {host} has a blank in it, and apt knows no such logins");
        return Err(Failure::not_applied(ErrorCode::Credentials, message)
            .permanent()
            .with_remedy("give the package repository another password"));
    }
    Ok(Some(login))
}

/// `HOST` or `HOST:PORT` of a URL.
pub(super) fn host_of(url: &str) -> Option<&str> {
    url.split_once("://")?.1.split('/').next()
}

/// A part of containerd's configuration. Release 2 still reads this form.
/// Source: <https://github.com/containerd/containerd/blob/main/docs/cri/registry.md>
fn containerd(login: &RegistryLogin) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    format!(
        "\n[plugins.\"io.containerd.grpc.v1.cri\".registry.configs.\"{}\".auth]\nusername = {}\npassword = {}\n",
        login.registry,
        quoted(&login.user),
        quoted(login.password.expose()),
    )
}

/// A line of `apt_auth.conf(5)`. With the scheme, for apt sends no password over a line without TLS unless the line says so.
fn apt(login: &RegistryLogin, repository: &str) -> String {
    format!("machine {repository} login {} password {}\n", login.user, login.password.expose())
}

/// For the repository's key, which curl fetches. Source: `curl(1)`, `--config`.
fn curl(login: &RegistryLogin) -> String {
    let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("user = \"{}:{}\"\n", escaped(&login.user), escaped(login.password.expose()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::kubernetes::fixtures;
    use crate::logins::ConfiguredLogin;

    #[tokio::test]
    async fn a_machine_has_the_logins_of_its_own_places_and_only_root_reads_them() {
        let password = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(password.path(), "pass\"word\n").unwrap();
        let login = ConfiguredLogin { user: "ci".to_owned(), password_file: password.path().to_owned() };
        let logins = Logins::new(
            ["images.lan:5000", "packages.lan", "other.lan"].map(|at| (at.to_owned(), login.clone())).into(),
        );
        let options = [
            ("imageRepository", "images.lan:5000/kubernetes"),
            ("packageRepository", "https://packages.lan/v{minor}/"),
            ("packageRepositoryKey", "https://packages.lan/key"),
        ];
        let options: BTreeMap<String, String> = options.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
        let options = KubernetesOptions::read(&fixtures::spec(), &options).unwrap();
        let files = MachineLogins::read(&logins, &options).await.unwrap().files(&options);
        let texts: Vec<String> = files.iter().map(|file| String::from_utf8(file.content.to_vec()).unwrap()).collect();
        assert!(
            texts[0].contains("configs.\"images.lan:5000\".auth") && texts[0].contains("password = \"pass\\\"word\"")
        );
        assert_eq!(texts[1], "machine https://packages.lan/v1.36/ login ci password pass\"word\n");
        assert_eq!(texts[2], "user = \"ci:pass\\\"word\"\n");
        assert!(files.iter().all(|file| file.mode == 0o600) && texts.iter().all(|text| !text.contains("other.lan")));

        std::fs::write(password.path(), "pass word\n").unwrap();
        let refused = MachineLogins::read(&logins, &options).await.err().unwrap();
        assert!(refused.message.contains("packages.lan") && !refused.message.contains("pass word"), "{refused}");

        let without = MachineLogins::default().files(&options);
        assert!(without.iter().all(|file| file.content.is_empty()) && without.len() == files.len());
    }
}
