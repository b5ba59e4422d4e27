//! A package repository and an image registry with real Kubernetes on this host, as `cargo xtask kubernetes` has made them.
//!
//! They stand for `https://pkgs.k8s.io` and `registry.k8s.io` and have the same form, so a cluster's recipe takes the very
//! path that it takes at a user's with mirrors: `packageRepository` and `imageRepository` are options of the cluster.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Serialize;
use tempfile::NamedTempFile;

use crate::file_server::FileServer;
use crate::images::{self, docker::docker};
use crate::registry::{self, LOGIN, Registry, Visitors, cached_storage};

/// The repository in the registry below which Kubernetes' images are.
const REPOSITORY: &str = "kubernetes";

/// Where the machines of a test find Kubernetes. Both servers end with this value.
pub struct KubernetesParts {
    /// What to tell a cluster.
    pub places: Mirrors,
    registry: Registry,
    _packages: FileServer,
    _behind_login: Option<(Registry, NamedTempFile)>,
}

/// Addresses and versions, as JSON for those who start the parts as a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Mirrors {
    /// The root of the package repositories, in place of `https://pkgs.k8s.io/`. Below it `core:/stable:/v1.36/deb/` is the
    /// flat repository of a minor version: see [`Mirrors::package_repository`].
    pub packages: String,
    /// The public key that has signed them, armoured.
    pub key: PathBuf,
    /// In place of `registry.k8s.io`: `HOST:PORT/kubernetes`, over plain HTTP.
    pub image_repository: String,
    /// `HOST:PORT` of the registry, for a machine's list of registries without TLS.
    pub registry: String,
    /// flannel's image.
    pub flannel_image: String,
    /// The file with the password of [`LOGIN`], if both want it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<PathBuf>,
    /// Exact versions, from oldest to newest: one for each minor version.
    pub versions: Vec<String>,
}

impl Mirrors {
    /// The repository of the minor version that `version` (`1.36` or `1.36.3`) belongs to.
    pub fn package_repository(&self, version: &str) -> String {
        let minor = version.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
        format!("{}core:/stable:/v{minor}/deb/", self.packages)
    }

    /// The part of a daemon's configuration by which its clusters find everything here.
    ///
    /// # Errors
    /// If the key cannot be read.
    pub fn configuration(&self) -> Result<String> {
        self.configuration_beside(&[])
    }

    /// The same with further registries that are reached without TLS.
    ///
    /// # Errors
    /// As [`Mirrors::configuration`].
    pub fn configuration_beside(&self, registries: &[&str]) -> Result<String> {
        let key = fs::read_to_string(&self.key).context("cannot read the key of the packages")?;
        let packages = self.packages.trim_start_matches("http://").trim_end_matches('/');
        let login = |password: &PathBuf| {
            let login = |host| {
                let (user, password) = (LOGIN.0, password.display());
                format!("[logins.\"{host}\"]\nuser = \"{user}\"\npassword_file = \"{password}\"\n")
            };
            [packages, self.registry.as_str()].map(login).concat()
        };
        let logins = self.password.as_ref().map(login).unwrap_or_default();
        Ok(format!(
            "[kubernetes.options]\npackageRepository = \"{}\"\npackageRepositoryKey = \"\"\"\n{key}\"\"\"\n\
             imageRepository = \"{}\"\ninsecureRegistries = \"{}\"\n{logins}",
            self.package_repository("{minor}"),
            self.image_repository,
            [&[self.registry.as_str()], registries].concat().join(","),
        ))
    }
}

impl KubernetesParts {
    /// The registry, for further images.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }
}

/// Starts both, and sees to it that the registry has all images and those of `services` (such as `busybox:1.36`).
///
/// # Errors
/// If the parts were not made, or a server does not start.
pub async fn kubernetes_parts(services: &[&str]) -> Result<KubernetesParts> {
    start(services, 0).await
}

/// The same with both behind a login.
///
/// # Errors
/// As [`kubernetes_parts`].
pub async fn kubernetes_parts_behind_login(services: &[&str]) -> Result<KubernetesParts> {
    start_for(services, 0, Visitors::WithLogin).await
}

/// The same with the package repositories at a port that is known before.
///
/// # Errors
/// As [`kubernetes_parts`].
pub async fn start(services: &[&str], port: u16) -> Result<KubernetesParts> {
    start_for(services, port, Visitors::Anybody).await
}

async fn start_for(services: &[&str], port: u16, visitors: Visitors) -> Result<KubernetesParts> {
    let made = cached_storage()?.with_file_name("kubernetes").join("current");
    let list = fs::read_to_string(made.join("images.txt"))
        .with_context(|| format!("no Kubernetes in {}; run: cargo xtask kubernetes", made.display()))?;
    let host = registry::host_address()?;
    let registry = Registry::start(&cached_storage()?).await?;
    images::ensure(&registry, services).await?;
    let mut flannel = None;
    for line in list.lines() {
        let (name, local) = line.split_once(' ').context("the list of Kubernetes' images is broken")?;
        push(&registry, name, local).await.with_context(|| format!("cannot push {name}"))?;
        if name.starts_with("flannel:") {
            flannel = Some(name);
        }
    }
    let packages = FileServer::start(&made.join("apt"), port, visitors)?;
    // The host pushes to the open one; both have the same images.
    let behind_login = match visitors {
        Visitors::Anybody => None,
        Visitors::WithLogin => Some((Registry::start_with_login(&cached_storage()?).await?, password_file()?)),
    };
    let serving = behind_login.as_ref().map_or(&registry, |(private, _)| private);
    let address = format!("{host}:{}", serving.port());
    let versions = versions(&made.join("apt"))?;
    let newest = versions.last().context("the package repository has no version of Kubernetes")?;
    let places = Mirrors {
        packages: format!("http://{host}:{}/", packages.port()),
        // All of them are signed with the same key.
        key: made.join("apt/core:/stable:").join(format!("v{}/deb/Release.key", minor(newest))),
        image_repository: format!("{address}/{REPOSITORY}"),
        flannel_image: format!("{address}/{REPOSITORY}/{}", flannel.context("the list has no flannel")?),
        registry: address,
        password: behind_login.as_ref().map(|(_, password)| password.path().to_owned()),
        versions,
    };
    Ok(KubernetesParts { places, registry, _packages: packages, _behind_login: behind_login })
}

/// A file with the password of [`LOGIN`].
///
/// # Errors
/// If it cannot be written.
pub fn password_file() -> Result<NamedTempFile> {
    let file = NamedTempFile::new().context("cannot create the file of the password")?;
    fs::write(file.path(), format!("{}\n", LOGIN.1)).context("cannot write the password")?;
    Ok(file)
}

/// A `kubectl` of this version, as users have one installed: among the programs that the parts were made of.
///
/// # Errors
/// If the parts were not made.
pub fn kubectl(version: &str) -> Result<PathBuf> {
    let folder = cached_storage()?.with_file_name("kubernetes");
    let prefix = format!("programs-{version}-");
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let kubectl = entry.path().join("kubectl");
        if entry.file_name().to_string_lossy().starts_with(&prefix) && kubectl.is_file() {
            return Ok(kubectl);
        }
    }
    bail!("no kubectl {version} in {}; run: cargo xtask kubernetes", folder.display())
}

/// Pushes an image of this host unless the registry has it. Its local tag ends in the hash of what it was made from, and
/// is a second tag in the registry: where both mean the same, nothing is to be done.
async fn push(registry: &Registry, name: &str, local: &str) -> Result<()> {
    let (short, tag) = name.split_once(':').context("an image name needs a tag")?;
    let (_, content_tag) = local.rsplit_once(':').context("an image name needs a tag")?;
    let repository = format!("{REPOSITORY}/{short}");
    let there = registry.digest(&repository, content_tag).await?;
    if there.is_some() && there == registry.digest(&repository, tag).await? {
        return Ok(());
    }
    // Two tests may push the same at once: they push the same.
    for tag in [tag, content_tag] {
        let remote = format!("{}/{repository}:{tag}", registry.host_address());
        docker(&["tag", local, &remote]).await?;
        let pushed = docker(&["push", "--quiet", &remote]).await;
        docker(&["rmi", "--no-prune", &remote]).await?;
        pushed?;
    }
    Ok(())
}

/// The version of kubeadm in each repository.
fn versions(apt: &Path) -> Result<Vec<String>> {
    let stable = apt.join("core:/stable:");
    let mut versions = Vec::new();
    for entry in fs::read_dir(&stable).with_context(|| format!("cannot list {}", stable.display()))? {
        let packages = entry?.path().join("deb/Packages");
        let text = fs::read_to_string(&packages).with_context(|| format!("cannot read {}", packages.display()))?;
        versions.extend(kubeadm_versions(&text));
    }
    if versions.is_empty() {
        bail!("no package kubeadm in {}", stable.display());
    }
    versions.sort_by_key(|version| numbers(version));
    Ok(versions)
}

/// The upstream versions of kubeadm in an index of packages.
fn kubeadm_versions(packages: &str) -> Vec<String> {
    let paragraphs = packages.split("\n\n").filter(|text| text.lines().any(|line| line == "Package: kubeadm"));
    let version = |text: &str| {
        let version = text.lines().find_map(|line| line.strip_prefix("Version: "))?;
        Some(version.split('-').next()?.to_owned())
    };
    paragraphs.filter_map(version).collect()
}

fn minor(version: &str) -> String {
    version.splitn(3, '.').take(2).collect::<Vec<_>>().join(".")
}

fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map_while(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_found_by_a_version_or_a_minor_version() {
        let places = Mirrors {
            packages: "http://172.17.0.1:80/".to_owned(),
            key: PathBuf::new(),
            image_repository: String::new(),
            registry: String::new(),
            flannel_image: String::new(),
            password: None,
            versions: Vec::new(),
        };
        let expected = "http://172.17.0.1:80/core:/stable:/v1.36/deb/";
        assert_eq!(places.package_repository("1.36.3"), expected);
        assert_eq!(places.package_repository("1.36"), expected);
    }

    #[test]
    fn versions_come_from_the_index_of_packages() {
        let index = "Package: cri-tools\nVersion: 1.37.0-1.1\n\nPackage: kubeadm\nVersion: 1.36.3-1.1\nSize: 1\n";
        assert_eq!(kubeadm_versions(index), ["1.36.3"]);
        assert!(numbers("1.9.10") < numbers("1.36.3"));
    }
}
