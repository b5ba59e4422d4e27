//! Root file systems by `debootstrap`, images by `docker import`. Changing this file rebuilds the images.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::apt::RELEASE;
use super::inputs::Inputs;
use super::{Kind, docker};
use crate::shell;

/// Keeps packages from starting their services in the chroot, which shares the host's network and processes.
const NO_SERVICES: &str = "#!/bin/sh\nexit 101\n";

/// The root file system of one image and hash, as a tar file.
fn tarball(cache: &Path, kind: Kind, hash: &str) -> PathBuf {
    cache.join(format!("images/{}-{hash}.tar", kind.name()))
}

/// Whether both root file systems of this hash are in the cache.
pub fn is_cached(cache: &Path, hash: &str) -> bool {
    Kind::ALL.iter().all(|kind| tarball(cache, *kind, hash).is_file())
}

/// Builds both root file systems and puts them into the cache, where they replace all earlier ones.
pub fn build(cache: &Path, inputs: &Inputs, hash: &str) -> Result<()> {
    let log = cache.join("image.log");
    let work = cache.join("build");
    remove_tree(&work)?;
    let images = cache.join("images");
    remove_tree(&images)?;
    fs::create_dir_all(&images).with_context(|| format!("cannot create {}", images.display()))?;
    fs::create_dir_all(&work).with_context(|| format!("cannot create {}", work.display()))?;

    shell::say(format!(
        "building the machine images from {} (about a minute); log: {}",
        inputs.apt.mirror,
        log.display()
    ));
    let plain = work.join("plain");
    bootstrap(&plain, inputs, &log)?;
    configure(&plain, inputs, &log)?;
    in_root(&plain, &log, &["apt-get", "-q", "update"])?;
    in_root(&plain, &log, &["apt-get", "-q", "-y", "upgrade"])?;

    shell::say("installing the Docker Engine into the machine's file system");
    let machine = work.join("machine");
    shell::run_logged(Command::new("cp").arg("-a").arg(&plain).arg(&machine), &log)?;
    let packages = inputs.packages(Kind::Machine)?;
    let mut install = vec!["apt-get", "-q", "-y", "install", "--no-install-recommends"];
    install.extend(packages.iter().map(String::as_str));
    in_root(&machine, &log, &install)?;

    for (kind, root) in [(Kind::Plain, &plain), (Kind::Machine, &machine)] {
        finish(root, inputs, &log)?;
        pack(root, &tarball(cache, kind, hash), &log)?;
    }
    remove_tree(&work)
}

/// Makes a Docker image of a root file system in the cache.
pub fn import(cache: &Path, kind: Kind, hash: &str, image: &str) -> Result<()> {
    let tarball = tarball(cache, kind, hash);
    let label = format!("LABEL io.muster.image={}", kind.name());
    let path = tarball.to_str().context("the cache folder's path is not UTF-8")?;
    docker(&["import", "--change", "CMD [\"/usr/local/sbin/machine-init\"]", "--change", &label, path, image])?;
    Ok(())
}

/// Debian's minimal system and what every machine has.
fn bootstrap(root: &Path, inputs: &Inputs, log: &Path) -> Result<()> {
    let packages = inputs.packages(Kind::Plain)?.join(",");
    let mut command = Command::new("debootstrap");
    command.args(["--variant=minbase", &format!("--include={packages}"), RELEASE]).arg(root).arg(&inputs.apt.mirror);
    shell::run_logged(&mut command, log)
}

/// apt as on the host, and no service starts while packages are installed.
fn configure(root: &Path, inputs: &Inputs, log: &Path) -> Result<()> {
    write(&root.join("etc/apt/sources.list"), &inputs.apt.sources)?;
    write(&root.join("etc/apt/apt.conf.d/90host"), &inputs.apt.settings)?;
    let no_services = root.join("usr/sbin/policy-rc.d");
    write(&no_services, NO_SERVICES)?;
    fs::set_permissions(&no_services, fs::Permissions::from_mode(0o755))?;
    fs::copy("/etc/resolv.conf", root.join("etc/resolv.conf")).context("cannot copy /etc/resolv.conf")?;
    if let Some(certificates) = &inputs.certificates {
        copy_into(certificates, &root.join("usr/local/share/ca-certificates"), log)?;
        in_root(root, log, &["update-ca-certificates"])?;
    }
    Ok(())
}

/// Our own files, and the step that both ways to build have in common.
fn finish(root: &Path, inputs: &Inputs, log: &Path) -> Result<()> {
    copy_into(&inputs.folder.join("root"), root, log)?;
    let script = root.join("finish.sh");
    fs::copy(inputs.folder.join("finish.sh"), &script).context("cannot copy finish.sh")?;
    in_root(root, log, &["/finish.sh"])?;
    fs::remove_file(&script).context("cannot remove finish.sh from the image")?;
    // The engine gives each machine its own; the host's would only be confusing to find here.
    write(&root.join("etc/resolv.conf"), "")
}

fn pack(root: &Path, tarball: &Path, log: &Path) -> Result<()> {
    // Under its final name only when complete.
    let partial = tarball.with_extension("partial");
    let mut tar = Command::new("tar");
    tar.args(["--numeric-owner", "--sort=name", "-cf"]).arg(&partial).arg("-C").arg(root).arg(".");
    shell::run_logged(&mut tar, log)?;
    fs::rename(&partial, tarball).with_context(|| format!("cannot move {}", partial.display()))
}

fn in_root(root: &Path, log: &Path, words: &[&str]) -> Result<()> {
    let mut command = Command::new("chroot");
    command.arg(root).args(words).env("DEBIAN_FRONTEND", "noninteractive").env("LC_ALL", "C.UTF-8");
    command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    shell::run_logged(&mut command, log)
}

/// Copies a folder's content over another; all files belong to root, whoever checked them out.
fn copy_into(from: &Path, to: &Path, log: &Path) -> Result<()> {
    let mut command = Command::new("cp");
    shell::run_logged(command.args(["-r", "--no-preserve=ownership"]).arg(from.join(".")).arg(to), log)
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn remove_tree(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
