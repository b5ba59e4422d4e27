//! The images that kubeadm wants, and flannel's, with the names and tags of the project's own.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::module::{self, Modules};
use super::release::{self, Release};
use crate::image::{self, docker};
use crate::shell;

/// How the Docker Engine knows them; the value of `io.muster.image` keeps them from the machine images.
const LABEL: &str = "io.muster.image=kubernetes";

/// An image as a cluster asks for it below its image repository, `kube-apiserver:v1.36.3`, and as the Docker Engine has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Name and tag below the repository.
    pub name: String,
    /// Name and tag on this host.
    pub local: String,
}

/// What an image is made of.
struct Recipe {
    /// The folder of its Dockerfile.
    folder: &'static str,
    /// Programs, and their names in the image.
    programs: Vec<(PathBuf, &'static str)>,
    arguments: Vec<String>,
}

/// Whether the Docker Engine has all of them.
pub fn are_there(images: &[Image], hash: &str) -> Result<bool> {
    let listing = list()?;
    Ok(!images.is_empty()
        && images.iter().all(|image| image.local.ends_with(hash) && listing.lines().any(|line| line == image.local)))
}

/// Makes all images of all releases.
pub fn build(sources: &Path, modules: &Modules, hash: &str, work: &Path, log: &Path) -> Result<Vec<Image>> {
    let base = image::Kind::Plain.latest();
    let network = format!("muster-kubernetes/network:{hash}");
    let recipe = Recipe { folder: "network", programs: Vec::new(), arguments: vec![format!("BASE={base}")] };
    recipe.build(sources, &network, work, log)?;

    let mut recipes = BTreeMap::new();
    for release in &release::ALL {
        for name in wanted(modules, release)? {
            let recipe = Recipe::of(&name, modules, release, &network)?;
            // 1.35 and 1.36 may want the same etcd or pause image.
            recipes.entry(name).or_insert(recipe);
        }
    }
    let flannel = format!("flannel:v{}", release::version_of(release::FLANNEL));
    let flanneld = modules.program(release::FLANNEL, "flannel")?;
    let arguments = vec![format!("NETWORK={network}")];
    recipes.insert(flannel, Recipe { folder: "flannel", programs: vec![(flanneld, "flanneld")], arguments });

    let mut images = Vec::new();
    for (name, recipe) in recipes {
        let local = format!("muster-kubernetes/{name}-{hash}");
        recipe.build(sources, &local, work, log)?;
        images.push(Image { name, local });
    }
    Ok(images)
}

/// Removes the images of earlier inputs.
pub fn remove_older(hash: &str) -> Result<()> {
    for name in list()?.lines().filter(|name| !name.ends_with(hash)) {
        shell::succeeds(Command::new("docker").args(["image", "rm", name]));
    }
    Ok(())
}

fn list() -> Result<String> {
    let filter = format!("label={LABEL}");
    let listing = docker(&["image", "ls", "--filter", &filter, "--format", "{{.Repository}}:{{.Tag}}"])?;
    // A name that a newer image has taken leaves one without.
    Ok(listing.lines().filter(|line| line.starts_with("muster-kubernetes/")).map(|line| format!("{line}\n")).collect())
}

/// Asks kubeadm, as a cluster's preparation does. Names are those below an image repository of one's own, where kubeadm asks
/// for `coredns` and not for `coredns/coredns` as at the project's.
fn wanted(modules: &Modules, release: &Release) -> Result<Vec<String>> {
    let mut kubeadm = Command::new(modules.program(release.version, "kubeadm")?);
    kubeadm.args(["config", "images", "list", "--image-repository", "repository"]);
    kubeadm.args(["--kubernetes-version", &format!("v{}", release.version)]);
    let listing = shell::capture(&mut kubeadm)?;
    let names = listing.lines().map(|line| {
        let name = line.trim().strip_prefix("repository/");
        name.map(str::to_owned).with_context(|| format!("kubeadm names an image `{line}`"))
    });
    names.collect()
}

impl Recipe {
    fn of(image: &str, modules: &Modules, release: &Release, network: &str) -> Result<Self> {
        let name = image.split(':').next().unwrap_or(image);
        let of_kubernetes = |program| modules.program(release.version, program);
        let recipe = match name {
            "kube-apiserver" => Self::program(of_kubernetes(name)?, "kube-apiserver"),
            "kube-controller-manager" => Self::program(of_kubernetes(name)?, "kube-controller-manager"),
            "kube-scheduler" => Self::program(of_kubernetes(name)?, "kube-scheduler"),
            "kube-proxy" => Self {
                folder: "kube-proxy",
                programs: vec![(of_kubernetes(name)?, "kube-proxy")],
                arguments: vec![format!("NETWORK={network}")],
            },
            "pause" => Self { folder: "pause", programs: vec![(of_kubernetes(name)?, "pause")], arguments: Vec::new() },
            "coredns" => Self {
                folder: "coredns",
                programs: vec![(modules.program(release.coredns, name)?, "coredns")],
                arguments: Vec::new(),
            },
            "etcd" => {
                let etcd = |program, name| Ok((modules.program(release.etcd, program)?, name));
                // The server's program has the name of its package.
                let programs = [etcd("server", "etcd"), etcd("etcdctl", "etcdctl"), etcd("etcdutl", "etcdutl")];
                let programs = programs.into_iter().collect::<Result<_>>()?;
                Self { folder: "etcd", programs, arguments: Vec::new() }
            }
            _ => bail!("Kubernetes {} wants an image `{image}` that nobody makes here", release.version),
        };
        Ok(recipe)
    }

    fn program(path: PathBuf, name: &'static str) -> Self {
        Self { folder: "program", programs: vec![(path, name)], arguments: vec![format!("PROGRAM={name}")] }
    }

    fn build(&self, sources: &Path, local: &str, work: &Path, log: &Path) -> Result<()> {
        let context = work.join("context");
        super::remove_tree(&context)?;
        fs::create_dir_all(&context).with_context(|| format!("cannot create {}", context.display()))?;
        let mut copy = Command::new("cp");
        shell::run_logged(copy.arg("-r").arg(sources.join(self.folder).join(".")).arg(&context), log)?;
        for (program, name) in &self.programs {
            if !program.is_file() {
                bail!("the program {} of image {local} was not built", module::file_name(program).display());
            }
            let target = context.join(name);
            fs::hard_link(program, &target).with_context(|| format!("cannot link {}", target.display()))?;
        }
        let mut build = Command::new("docker");
        // Engines before 23 have no other builder, and the newer one cannot use a base image that is in no registry.
        build.env("DOCKER_BUILDKIT", "0").args(["build", "--force-rm", "--label", LABEL, "--tag", local]);
        for argument in &self.arguments {
            build.args(["--build-arg", argument]);
        }
        shell::run_logged(build.arg(&context), log)?;
        super::remove_tree(&context)
    }
}
