//! `cargo xtask kubernetes`: a package repository and container images of Kubernetes, for hosts that reach neither.
//!
//! The programs are built from their Go modules (`tests/kubernetes/*/go.mod`), packed as the project packs them, and put into
//! apt repositories with the layout of `pkgs.k8s.io`, one for each minor version. The images go to the Docker Engine; the
//! tests push them to a registry of their own (`tests/src/kubernetes.rs`). All of it is kept in the cache by a hash of its
//! inputs, and built once.

mod images;
mod index;
mod module;
mod packages;
mod release;
mod repository;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};

use crate::{digest, host, shell};
use module::Modules;

/// Options of `cargo xtask kubernetes`.
#[derive(clap::Args)]
pub struct Options {
    /// Pack again also if the parts of the same inputs are there; programs that are built stay
    #[arg(long)]
    force: bool,
}

/// These files decide what is made of the modules.
const BUILDER: [&str; 4] = [
    include_str!("kubernetes/images.rs"),
    include_str!("kubernetes/packages.rs"),
    include_str!("kubernetes/release.rs"),
    include_str!("kubernetes/repository.rs"),
];

/// `cargo xtask kubernetes`.
pub fn run(options: &Options) -> Result<()> {
    let cache = host::cache_dir()?;
    let parts = ensure(&cache, options.force)?;
    shell::say(format!("Kubernetes' packages and the list of its images are in {}", parts.display()));
    Ok(())
}

/// Makes the parts unless those of the same inputs are there, and returns their folder.
pub fn ensure(cache: &Path, force: bool) -> Result<PathBuf> {
    let folder = cache.join("kubernetes");
    let sources = host::checkout().join("tests/kubernetes");
    let modules = Modules::read(&sources, &folder)?;
    let hash = hash(&sources, &modules)?;
    let parts = folder.join(format!("parts-{hash}"));
    let current = folder.join("current");
    if !force && is_complete(&parts, &hash)? && fs::canonicalize(&current).is_ok_and(|found| found == parts) {
        return Ok(parts);
    }
    // A second build at once waits, and finds what the first has made.
    let lock_path = cache.join("kubernetes.lock");
    let lock: File = shell::append_to(&lock_path)?;
    lock.lock().with_context(|| format!("cannot lock {}", lock_path.display()))?;
    if force || !is_complete(&parts, &hash)? {
        let start = Instant::now();
        make(&sources, &modules, &folder, &parts, &hash)?;
        shell::say(format!("Kubernetes' parts {hash} ready after {} s", start.elapsed().as_secs()));
    }
    point_to(&current, &parts)?;
    Ok(parts)
}

/// The newest `kubectl` of the parts: a user has one installed.
pub fn kubectl(cache: &Path) -> Result<PathBuf> {
    let modules = Modules::read(&host::checkout().join("tests/kubernetes"), &cache.join("kubernetes"))?;
    let newest = release::ALL.last().context("no version of Kubernetes is offered")?;
    modules.program(newest.version, "kubectl")
}

/// One hash over the modules, what is packed beside them, and how.
fn hash(sources: &Path, modules: &Modules) -> Result<String> {
    let mut files = Vec::new();
    for folder in ["packages", "images"] {
        files.extend(digest::read_tree(&sources.join(folder))?);
    }
    let hashes: Vec<&str> = modules.all().map(|module| module.hash()).collect();
    Ok(digest::hash(&files, &[&BUILDER, hashes.as_slice()].concat()))
}

/// Whether the index is there, which is written last, and the images still are.
fn is_complete(parts: &Path, hash: &str) -> Result<bool> {
    Ok(index::path(parts).is_file() && images::are_there(&index::images(parts)?, hash)?)
}

fn make(sources: &Path, modules: &Modules, folder: &Path, parts: &Path, hash: &str) -> Result<()> {
    let log = folder.join("log");
    for module in modules.all() {
        module.build(&folder.join("logs"))?;
    }
    let work = folder.join(format!("work-{hash}"));
    remove_tree(&work)?;
    remove_tree(parts)?;
    let start = Instant::now();
    let repository = work.join("apt");
    for release in &release::ALL {
        let packages = repository.join(release.repository()).join(packages::architecture()?);
        packages::pack(&sources.join("packages"), modules, release, &packages, &work, &log)?;
        repository::publish(&folder.join("gnupg"), &repository.join(release.repository()), release, &log)?;
    }
    shell::say(format!("packages made and signed in {:.0} s", start.elapsed().as_secs_f32()));
    let start = Instant::now();
    let images = images::build(&sources.join("images"), modules, hash, &work, &log)?;
    shell::say(format!("{} images made in {:.0} s", images.len(), start.elapsed().as_secs_f32()));
    fs::create_dir_all(parts).with_context(|| format!("cannot create {}", parts.display()))?;
    fs::rename(&repository, parts.join("apt")).context("cannot move the package repository")?;
    index::write(parts, &images)?;
    remove_tree(&work)?;
    remove_older(folder, parts, modules)?;
    images::remove_older(hash)
}

/// Removes the parts and programs of earlier inputs. A work folder is a killed run's, as this one holds the lock.
fn remove_older(folder: &Path, parts: &Path, modules: &Modules) -> Result<()> {
    let kept: Vec<&Path> = modules.all().map(|module| module.programs()).chain([parts]).collect();
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let is_made = ["parts-", "programs-", "work-"].iter().any(|prefix| name.starts_with(prefix));
        if is_made && !kept.contains(&path.as_path()) {
            remove_tree(&path)?;
        }
    }
    Ok(())
}

/// Makes `link` mean `target`, in one step.
fn point_to(link: &Path, target: &Path) -> Result<()> {
    let new = link.with_extension("new");
    if new.is_symlink() {
        fs::remove_file(&new).with_context(|| format!("cannot remove {}", new.display()))?;
    }
    std::os::unix::fs::symlink(target, &new).with_context(|| format!("cannot create {}", new.display()))?;
    fs::rename(&new, link).with_context(|| format!("cannot move {}", new.display()))
}

fn remove_tree(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
