//! Programs built from Go modules: the tools of one `go.mod`.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use super::release;
use crate::{digest, host, shell};

/// Changing how programs are built gives them a new hash.
const BUILDER: &str = include_str!("module.rs");

/// One folder of `tests/kubernetes` with a `go.mod`.
pub struct Module {
    name: &'static str,
    source: PathBuf,
    hash: String,
    programs: PathBuf,
}

/// All modules that the offered versions need.
pub struct Modules(Vec<Module>);

impl Modules {
    /// Reads them; their programs are kept in `cache`.
    pub fn read(sources: &Path, cache: &Path) -> Result<Self> {
        let mut names: Vec<&'static str> = Vec::new();
        for release in &release::ALL {
            names.extend([release.version, release.etcd, release.coredns]);
        }
        names.extend([release::FLANNEL, release::CNI_PLUGINS, release::CRI_TOOLS]);
        let mut modules: Vec<Module> = Vec::new();
        for name in names {
            if !modules.iter().any(|module| module.name == name) {
                modules.push(Module::read(sources, cache, name)?);
            }
        }
        Ok(Self(modules))
    }

    /// In the order in which they are built.
    pub fn all(&self) -> impl Iterator<Item = &Module> {
        self.0.iter()
    }

    /// A program of a module.
    pub fn program(&self, module: &str, program: &str) -> Result<PathBuf> {
        let found = self.0.iter().find(|found| found.name == module);
        Ok(found.with_context(|| format!("no module {module}"))?.programs.join(program))
    }
}

impl Module {
    fn read(sources: &Path, cache: &Path, name: &'static str) -> Result<Self> {
        let source = sources.join(name);
        let hash = digest::hash(&digest::read_tree(&source)?, &[BUILDER]);
        let programs = cache.join(format!("programs-{name}-{hash}"));
        Ok(Self { name, source, hash, programs })
    }

    /// Of its files and of how it is built.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The folder with its programs.
    pub fn programs(&self) -> &Path {
        &self.programs
    }

    /// Builds its programs unless they are there.
    pub fn build(&self, logs: &Path) -> Result<()> {
        if self.programs.is_dir() {
            return Ok(());
        }
        check_go(&fs::read_to_string(self.source.join("go.mod")).context("cannot read go.mod")?)?;
        let log = logs.join(self.name);
        shell::say(format!("building the programs of {}; log: {}", self.name, log.display()));
        let start = Instant::now();
        // Under the final name only when complete.
        let partial = self.programs.with_extension("partial");
        if partial.exists() {
            fs::remove_dir_all(&partial).with_context(|| format!("cannot remove {}", partial.display()))?;
        }
        let mut command = Command::new("go");
        command.current_dir(&self.source).args(["install", "-trimpath", "-ldflags", &self.linker_flags(), "tool"]);
        command.env("GOBIN", &partial).env("GOFLAGS", "-mod=readonly").env("GOWORK", "off");
        command.env("CGO_ENABLED", if self.needs_c() { "1" } else { "0" });
        shell::run_logged(&mut command, &log)?;
        if self.is_kubernetes() {
            compile_pause(&self.source, self.name, &partial, &log)?;
        }
        fs::rename(&partial, &self.programs).with_context(|| format!("cannot move {}", partial.display()))?;
        shell::say(format!("{} built in {} s", self.name, start.elapsed().as_secs()));
        Ok(())
    }

    fn is_kubernetes(&self) -> bool {
        release::ALL.iter().any(|release| release.version == self.name)
    }

    /// flannel's udp backend is C.
    fn needs_c(&self) -> bool {
        self.name == release::FLANNEL
    }

    fn linker_flags(&self) -> String {
        let mut flags = "-s -w".to_owned();
        if self.needs_c() {
            flags.push_str(" -linkmode external -extldflags -static");
        }
        if self.is_kubernetes() {
            let (major, rest) = self.name.split_once('.').unwrap_or((self.name, ""));
            let minor = rest.split('.').next().unwrap_or_default();
            let version = format!("v{}", self.name);
            // What `kubeadm version` says and what an API server tells its clients; without it both are v0.0.0.
            for (field, value) in [("gitVersion", version.as_str()), ("gitMajor", major), ("gitMinor", minor)] {
                flags.push_str(&format!(" -X k8s.io/component-base/version.{field}={value}"));
            }
        }
        flags
    }
}

/// Compiles the pause program, which is C, from the source of this version of Kubernetes.
fn compile_pause(source: &Path, version: &str, programs: &Path, log: &Path) -> Result<()> {
    let mut list = Command::new("go");
    list.current_dir(source).args(["list", "-m", "-f", "{{.Dir}}", "k8s.io/kubernetes"]);
    let folder = shell::capture(list.env("GOFLAGS", "-mod=readonly").env("GOWORK", "off"))?;
    let mut compile = Command::new("cc");
    compile.args(["-Os", "-static", &format!("-DVERSION=v{version}"), "-o"]).arg(programs.join("pause"));
    compile.arg(Path::new(&folder).join("build/pause/linux/pause.c"));
    shell::run_logged(&mut compile, log)
}

/// A Go that is too old fetches a newer toolchain where it may, so only one that cannot is refused.
fn check_go(go_mod: &str) -> Result<()> {
    let wanted = go_mod.lines().find_map(|line| line.strip_prefix("go ")).unwrap_or("1.21").trim();
    if !host::has_program("go") {
        bail!(
            "Go {wanted} or newer is needed to build Kubernetes, and no `go` is on the PATH\n\
             install it from https://go.dev/dl/, or set PATH if it is elsewhere (often /usr/local/go/bin)"
        );
    }
    let said = shell::capture(Command::new("go").args(["env", "GOVERSION", "GOTOOLCHAIN"]))?;
    let mut lines = said.lines();
    let (version, toolchain) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let found = version.trim_start_matches("go");
    if is_older(found, wanted) && toolchain == "local" {
        bail!("Go {wanted} or newer is needed, and this is {found}\ninstall it from https://go.dev/dl/");
    }
    Ok(())
}

fn is_older(found: &str, wanted: &str) -> bool {
    let numbers = |text: &str| -> Vec<u32> {
        // `1.26rc1` and `1.26.8-X:nodwarf5` count by their numbers.
        text.split(['.', '-', 'r', 'b', ' ']).map_while(|part| part.parse().ok()).collect()
    };
    numbers(found) < numbers(wanted)
}

/// The name of a program's file.
pub fn file_name(program: &Path) -> &OsStr {
    program.file_name().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_go_are_compared_as_numbers() {
        assert!(is_older("1.19.8", "1.25.0"));
        assert!(is_older("1.26.5", "1.26.6"));
        assert!(!is_older("1.26.10", "1.26.6"));
        assert!(!is_older("1.26.8-X:nodwarf5", "1.26.6"));
    }

    #[test]
    fn every_module_of_every_version_is_checked_in() {
        let folder = tempfile::tempdir().unwrap();
        let modules = Modules::read(&host::checkout().join("tests/kubernetes"), folder.path()).unwrap();
        for module in modules.all() {
            let text = fs::read_to_string(module.source.join("go.mod")).unwrap();
            assert!(text.contains("tool "), "{} has no tools", module.name);
            assert!(module.source.join("go.sum").is_file(), "{} has no go.sum", module.name);
            let version = release::version_of(module.name);
            assert!(text.contains(&format!("v{version}")), "{} requires another version", module.name);
        }
    }
}
