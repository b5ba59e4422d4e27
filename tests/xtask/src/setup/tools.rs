//! What the tests of the HTTP bridge need from npm and PyPI: a driver for the browser, and schemathesis.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::shell;

const SCHEMATHESIS: &str = "schemathesis==4.32.5";

/// Where the tools are.
pub struct Tools {
    /// The folder with `playwright-core` and `axe-core`.
    pub node_modules: PathBuf,
    /// The program `schemathesis`.
    pub schemathesis: PathBuf,
}

/// Installs what is missing into the cache.
pub fn install(cache: &Path) -> Result<Tools> {
    Ok(Tools {
        node_modules: node_modules(&cache.join("page"))?,
        schemathesis: schemathesis(&cache.join("schemathesis"))?,
    })
}

fn node_modules(folder: &Path) -> Result<PathBuf> {
    let installed = folder.join("node_modules");
    if installed.join("playwright-core").exists() && installed.join("axe-core").exists() {
        return Ok(installed);
    }
    shell::say("installing playwright-core and axe-core from npm: they drive and examine the bridge's page");
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let package = concat!(env!("CARGO_MANIFEST_DIR"), "/../page/package.json");
    fs::copy(package, folder.join("package.json")).context("cannot copy tests/page/package.json")?;
    shell::run(
        Command::new("npm").args(["install", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(folder),
    )?;
    Ok(installed)
}

fn schemathesis(folder: &Path) -> Result<PathBuf> {
    let program = folder.join("bin/schemathesis");
    if program.exists() {
        return Ok(program);
    }
    shell::say("installing schemathesis from PyPI: it tries the bridge against its own description");
    shell::run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
    shell::run(Command::new(folder.join("bin/pip")).args(["install", "--quiet", SCHEMATHESIS]))?;
    Ok(program)
}
