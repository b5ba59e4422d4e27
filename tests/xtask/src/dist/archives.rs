//! Archives for hosts that are not Debian, the source, and the sums of all that is handed out.

use std::fmt::Write;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::stage::{PROGRAMS, Stage};
use super::{VERSION, empty};
use crate::{host, shell};

/// Packs the programs with units, pages and docs: `bin/`, `share/`, `systemd/`, `docs/` and the licences.
pub fn of_programs(stage: &Stage, to: &Path) -> Result<()> {
    let name = format!("muster-{VERSION}");
    let root = empty(&stage.target.join(&name))?;
    let checkout = host::checkout();
    fs::create_dir(root.join("bin")).context("cannot create a folder for the programs")?;
    for program in PROGRAMS {
        copy(&stage.program(program), &root.join("bin").join(program))?;
    }
    let given = ["systemd", "docs", "README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"];
    for path in given.iter().map(|path| checkout.join(path)).chain([stage.share()]) {
        shell::run(Command::new("cp").arg("--recursive").arg(path).arg(&root))?;
    }
    let archive = to.join(format!("{name}-{}-linux.tar.xz", std::env::consts::ARCH));
    let mut tar = Command::new("tar");
    // The same files, the same archive.
    tar.args(["--create", "--xz", "--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mode=u=rwX,go=rX"]);
    tar.arg(format!("--mtime=@{}", time_of_commit()?)).arg("--file").arg(archive);
    shell::run(tar.arg("--directory").arg(&stage.target).arg(&name))
}

/// Packs the source as it is committed.
pub fn of_source(to: &Path) -> Result<()> {
    let name = format!("muster-{VERSION}");
    let archive = to.join(format!("{name}-source.tar.gz"));
    let mut git = Command::new("git");
    git.current_dir(host::checkout()).args(["archive", "--format=tar.gz"]).arg(format!("--prefix={name}/"));
    shell::run(git.arg("--output").arg(archive).arg("HEAD"))
}

/// Writes `SHA256SUMS` beside the files of a folder, for `sha256sum --check`: its text.
pub fn write_sums(folder: &Path) -> Result<String> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.sort();
    let mut sums = String::new();
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        writeln!(sums, "{}  {name}", sha256(&file)?)?;
    }
    fs::write(folder.join("SHA256SUMS"), &sums).context("cannot write SHA256SUMS")?;
    Ok(sums)
}

fn sha256(file: &Path) -> Result<String> {
    let mut hasher = Sha256::new();
    let mut content = File::open(file).with_context(|| format!("cannot open {}", file.display()))?;
    std::io::copy(&mut content, &mut hasher).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn time_of_commit() -> Result<String> {
    let mut git = Command::new("git");
    shell::capture(git.current_dir(host::checkout()).args(["log", "-1", "--format=%ct"]))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_are_those_that_sha256sum_checks() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.tar"), "archive").unwrap();
        fs::write(folder.path().join("b.deb"), "package").unwrap();
        let sums = write_sums(folder.path()).unwrap();
        assert_eq!(sums.lines().count(), 2, "{sums}");
        let mut check = Command::new("sha256sum");
        check.args(["--check", "--strict", "SHA256SUMS"]).current_dir(folder.path());
        assert!(shell::succeeds(&mut check));
        fs::write(folder.path().join("b.deb"), "another").unwrap();
        assert!(!shell::succeeds(&mut check));
    }
}
