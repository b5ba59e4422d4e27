//! Debian packages with the names, versions, paths and units of the project's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::module::Modules;
use super::release::{self, Release};
use crate::shell;

/// The revision that the project's packages have.
const REVISION: &str = "1.1";

/// A package of one release.
struct Package {
    name: &'static str,
    version: String,
    /// Where its programs go, below the root.
    target: &'static str,
    programs: Vec<PathBuf>,
}

/// Makes the packages of a release in `target`.
pub fn pack(
    sources: &Path,
    modules: &Modules,
    release: &Release,
    target: &Path,
    work: &Path,
    log: &Path,
) -> Result<()> {
    fs::create_dir_all(target).with_context(|| format!("cannot create {}", target.display()))?;
    for package in packages(modules, release)? {
        package.build(&sources.join(package.name), target, &work.join("package"), log)?;
    }
    Ok(())
}

/// Debian's name for this host's processor, which is what Go builds for.
pub fn architecture() -> Result<String> {
    shell::capture(Command::new("dpkg").arg("--print-architecture"))
}

fn packages(modules: &Modules, release: &Release) -> Result<Vec<Package>> {
    let mut packages = Vec::new();
    for name in ["kubeadm", "kubelet", "kubectl"] {
        let programs = vec![modules.program(release.version, name)?];
        packages.push(Package { name, version: release.version.to_owned(), target: "usr/bin", programs });
    }
    packages.push(Package {
        name: "cri-tools",
        version: release::version_of(release::CRI_TOOLS).to_owned(),
        target: "usr/bin",
        programs: vec![modules.program(release::CRI_TOOLS, "crictl")?],
    });
    let plugins = modules.program(release::CNI_PLUGINS, "")?;
    let entries = fs::read_dir(&plugins).with_context(|| format!("cannot list {}", plugins.display()))?;
    packages.push(Package {
        name: "kubernetes-cni",
        version: release::version_of(release::CNI_PLUGINS).to_owned(),
        target: "opt/cni/bin",
        programs: entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?,
    });
    Ok(packages)
}

impl Package {
    fn build(&self, source: &Path, target: &Path, work: &Path, log: &Path) -> Result<()> {
        super::remove_tree(work)?;
        let meta = work.join("DEBIAN");
        let programs = work.join(self.target);
        for folder in [&meta, &programs] {
            fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        let overlay = source.join("root");
        if overlay.is_dir() {
            let mut copy = Command::new("cp");
            copy.args(["-r", "--no-preserve=ownership"]).arg(overlay.join(".")).arg(work);
            shell::run_logged(&mut copy, log)?;
        }
        for program in &self.programs {
            let mut install = Command::new("install");
            shell::run_logged(install.args(["-m", "755"]).arg(program).arg(&programs), log)?;
        }
        let version = format!("{}-{REVISION}", self.version);
        let architecture = architecture()?;
        let control = fs::read_to_string(source.join("control")).with_context(|| self.name)?;
        let control = control.replace("VERSION", &version).replace("ARCHITECTURE", &architecture);
        fs::write(meta.join("control"), control).context("cannot write the package's control file")?;
        for (file, mode) in [("conffiles", "644"), ("postinst", "755")] {
            let file = source.join(file);
            if file.is_file() {
                let mut install = Command::new("install");
                shell::run_logged(install.args(["-m", mode]).arg(&file).arg(&meta), log)?;
            }
        }
        let file = target.join(format!("{}_{version}_{architecture}.deb", self.name));
        let mut build = Command::new("dpkg-deb");
        // Quick rather than small: a package is unpacked on this very host.
        build.args(["--root-owner-group", "-Zgzip", "-z1", "--build"]).arg(work).arg(file);
        shell::run_logged(&mut build, log)?;
        super::remove_tree(work)
    }
}
