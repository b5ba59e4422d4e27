//! The Debian package, by cargo-deb.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use super::Profile;
use super::stage::Stage;
use crate::{host, shell};

/// The cargo-deb that `daemon/Cargo.toml` is written for.
const CARGO_DEB_VERSION: &str = "3.8.0";

/// Packs what is on the stage, as this version or the workspace's.
pub fn pack(stage: &Stage, profile: Profile, version: Option<&str>, to: &Path) -> Result<()> {
    let has_tool = host::has_program("dpkg-shlibdeps");
    ensure!(
        has_tool,
        "dpkg-shlibdeps, which finds what the package depends on, is missing\nrun: apt-get install dpkg-dev"
    );
    let mut deb = Command::new(install()?);
    deb.current_dir(host::checkout()).env("CARGO_TARGET_DIR", &stage.target);
    deb.args(["--package", "musterd", "--locked", "--no-build", "--no-strip", "--quiet", "--output"]).arg(to);
    if let Some(version) = version {
        deb.args(["--deb-version", version]);
    }
    if profile == Profile::Dev {
        // It is installed once and thrown away.
        deb.arg("--fast");
    }
    shell::run(&mut deb)
}

/// The program, in a place of its own: it is no part of the user's toolchain.
fn install() -> Result<PathBuf> {
    let root = host::cache_dir()?.join(format!("cargo-deb-{CARGO_DEB_VERSION}"));
    let program = root.join("bin/cargo-deb");
    if !program.is_file() {
        shell::say(format!("installing cargo-deb {CARGO_DEB_VERSION}: makes the Debian package (3 minutes, once)"));
        let mut install = host::cargo();
        install.args(["install", "cargo-deb", "--locked", "--quiet", "--version", CARGO_DEB_VERSION, "--root"]);
        shell::run(install.arg(&root))?;
    }
    Ok(program)
}
