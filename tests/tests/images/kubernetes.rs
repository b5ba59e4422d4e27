//! The package repository and the images of Kubernetes, used as a machine's preparation uses them.

use anyhow::{Context, Result, ensure};
use muster_tests::images::docker::docker;
use muster_tests::kubernetes::{KubernetesParts, kubernetes_parts};
use muster_tests::skip::docker_is_wanted;

use crate::deployment::LABEL;

/// A fresh machine's file system, without systemd.
const MACHINE: &str = "muster/machine-plain:bookworm";

/// Fetches packages of one version from $REPOSITORY, which must be signed with the key in $SIGNED_BY, and asks them.
const SCRIPT: &str = r#"
    echo "deb [signed-by=$SIGNED_BY] $REPOSITORY /" > /etc/apt/sources.list
    apt-get -qq update -o APT::Update::Error-Mode=any >&2
    apt-get -qq install -y "kubectl=$VERSION-*" >&2
    cd /tmp && apt-get -qq download "kubeadm=$VERSION-*" "kubelet=$VERSION-*" kubernetes-cni cri-tools >&2
    mkdir root && for package in *.deb; do dpkg -x "$package" root; done
    kubectl version --client
    root/usr/bin/kubelet --version
    test -x root/opt/cni/bin/bridge -a -x root/usr/bin/crictl -a -f root/usr/lib/systemd/system/kubelet.service
    root/usr/bin/kubeadm config images list --image-repository "$IMAGES" --kubernetes-version "v$VERSION"
"#;

/// Runs the script in a new container that trusts the repository's key, in `/key`, and Debian's.
async fn fetch(parts: &KubernetesParts, version: &str, signed_by: &str) -> Result<String> {
    // The repository's path has colons, which `--volume` would take for its own.
    let key = format!("type=bind,readonly,target=/key.asc,source={}", parts.places.key.canonicalize()?.display());
    let repository = format!("REPOSITORY={}", parts.places.package_repository(version));
    let images = format!("IMAGES={}", parts.places.image_repository);
    let (version, signed_by) = (format!("VERSION={version}"), format!("SIGNED_BY={signed_by}"));
    let mut arguments = vec!["run", "--rm", "--label", LABEL, "--mount", &key];
    for variable in [&version, &signed_by, &repository, &images] {
        arguments.extend(["--env", variable]);
    }
    arguments.extend([MACHINE, "sh", "-euc", SCRIPT]);
    docker(&arguments).await
}

#[tokio::test]
async fn each_version_is_installed_from_its_repository_and_finds_its_images() -> Result<()> {
    if !docker_is_wanted("each_version_is_installed_from_its_repository_and_finds_its_images") {
        return Ok(());
    }
    let parts = kubernetes_parts(&[]).await?;
    let prefix = format!("{}/", parts.places.registry);
    ensure!(parts.places.versions.len() >= 2, "an upgrade needs two versions: {:?}", parts.places.versions);
    for version in &parts.places.versions {
        let said = fetch(&parts, version, "/key.asc").await?;
        ensure!(said.contains(&format!("Client Version: v{version}")), "kubectl {version} says: {said}");
        ensure!(said.contains(&format!("Kubernetes v{version}")), "kubelet {version} says: {said}");
        let images: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix(&prefix)).collect();
        ensure!(images.len() == 7, "kubeadm {version} names {images:?}");
        for image in images {
            let (repository, tag) = image.split_once(':').with_context(|| format!("no tag in {image}"))?;
            let digest = parts.registry().digest(repository, tag).await?;
            ensure!(digest.is_some(), "the registry does not have {image}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_key_that_does_not_fit_is_refused() -> Result<()> {
    if !docker_is_wanted("a_key_that_does_not_fit_is_refused") {
        return Ok(());
    }
    let parts = kubernetes_parts(&[]).await?;
    let newest = parts.places.versions.last().context("no version")?;
    let refused = fetch(&parts, newest, "/usr/share/keyrings/debian-archive-keyring.gpg").await;
    let error = format!("{:#}", refused.err().context("packages of another's signature were installed")?);
    ensure!(error.contains("NO_PUBKEY"), "{error}");
    Ok(())
}
