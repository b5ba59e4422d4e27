//! `cargo xtask check`: formatting, lints, dependency rules, docs.

use std::process::Command;

use anyhow::{Result, bail, ensure};

use crate::{host, shell};

/// The cargo-deny that `deny.toml` is written for.
const CARGO_DENY_VERSION: &str = "0.20.2";

/// Options of `cargo xtask check`.
#[derive(clap::Args)]
pub struct Options {
    /// Also check for security advisories, which fetches their database from GitHub
    #[arg(long)]
    advisories: bool,
}

/// Runs every check, also after one failed, and names those that did.
pub fn run(options: &Options) -> Result<()> {
    let checks: [(&str, &dyn Fn() -> Result<()>); 6] = [
        ("formatting", &formatting),
        ("lints", &lints),
        ("fuzz targets", &fuzz_targets),
        ("docs", &docs),
        ("one crypto provider", &no_ring),
        ("dependency rules", &|| dependency_rules(options.advisories)),
    ];
    let mut failed = Vec::new();
    for (name, check) in checks {
        shell::say(format!("checking: {name}"));
        if let Err(error) = check() {
            eprintln!("xtask: {name}: {error:#}");
            failed.push(name);
        }
    }
    if !failed.is_empty() {
        bail!("checks failed: {}", failed.join(", "));
    }
    shell::say("all checks passed");
    Ok(())
}

fn formatting() -> Result<()> {
    shell::run(host::cargo().args(["fmt", "--all", "--check"]))
}

fn lints() -> Result<()> {
    shell::run(host::cargo().args(["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

/// They are no members of the workspace, because cargo-fuzz builds them with flags of its own.
fn fuzz_targets() -> Result<()> {
    let fuzz = ["check", "--quiet", "--locked", "--manifest-path", "protocol/fuzz/Cargo.toml"];
    shell::run(host::cargo().args(fuzz).arg("--target-dir").arg(host::target_dir().join("fuzz")))
}

fn docs() -> Result<()> {
    let mut doc = host::cargo();
    doc.args(["doc", "--quiet", "--workspace", "--no-deps", "--document-private-items"])
        .env("RUSTDOCFLAGS", "-D warnings");
    shell::run(&mut doc)
}

/// Features unify over the workspace: one careless dev-dependency brings ring back beside aws-lc-rs.
fn no_ring() -> Result<()> {
    let mut tree = host::cargo();
    tree.args(["tree", "--quiet", "--workspace", "--edges", "normal,build,dev", "--prefix", "none", "--format", "{p}"]);
    let packages = shell::capture(&mut tree)?;
    let users = ring_lines(&packages);
    ensure!(users.is_empty(), "{} is compiled in; `cargo tree --workspace -i ring` shows by whom", users.join(", "));
    Ok(())
}

/// The entries of a flat `cargo tree` that are the crate ring.
fn ring_lines(tree: &str) -> Vec<&str> {
    tree.lines().filter(|line| line.split(' ').next() == Some("ring")).collect()
}

fn dependency_rules(advisories: bool) -> Result<()> {
    install_cargo_deny()?;
    let mut deny = host::cargo();
    deny.args(["deny", "--log-level", "error", "check", "bans", "licenses", "sources"]);
    if advisories {
        deny.arg("advisories");
    }
    shell::run(&mut deny)
}

fn install_cargo_deny() -> Result<()> {
    if shell::succeeds(host::cargo().args(["deny", "--version"])) {
        return Ok(());
    }
    shell::say(format!(
        "installing cargo-deny {CARGO_DENY_VERSION}: checks licences and banned crates (3 minutes, once)"
    ));
    let mut install: Command = host::cargo();
    shell::run(install.args(["install", "cargo-deny", "--locked", "--quiet", "--version", CARGO_DENY_VERSION]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ring_is_found_and_its_namesakes_are_not() {
        let tree = "xtask v0.1.0 (/x)\nring-channel v0.12.0\naws-lc-rs v1.19.0\nring v0.17.14\n";
        assert_eq!(ring_lines(tree), ["ring v0.17.14"]);
    }
}
