//! What the build makes of a package: the programs without symbols, and what they write about themselves.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::empty;
use crate::shell;

/// The programs that are handed out.
pub const PROGRAMS: [&str; 3] = ["muster", "musterd", "muster-bridge"];

/// The sections of the manual, and the programs that write pages of it.
const MANUAL: [(&str, &[&str]); 2] = [("man1", &["muster"]), ("man8", &["musterd", "muster-bridge"])];

/// A shell, and where below `share` its completions are looked for.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "bash-completion/completions/muster"),
    ("zsh", "zsh/vendor-completions/_muster"),
    ("fish", "fish/vendor_completions.d/muster.fish"),
];

/// A folder that is to cargo-deb what `target` is after a build: `release/` has the programs, and `release/share/` what goes
/// to `/usr/share`. So the assets in `daemon/Cargo.toml` are the same for every profile.
pub struct Stage {
    /// The folder.
    pub target: PathBuf,
}

impl Stage {
    /// Fills the stage below `folder` from the programs that cargo has put into `built`.
    pub fn make(built: &Path, folder: &Path) -> Result<Stage> {
        let stage = Stage { target: folder.join("stage") };
        empty(&stage.programs())?;
        for program in PROGRAMS {
            let source = built.join(program);
            ensure!(source.is_file(), "{} is not there\nrun: cargo build --workspace", source.display());
            // The copy is made by `strip` itself, so that what tests run is never open for writing.
            let mut strip = Command::new("strip");
            shell::run(strip.arg("--strip-all").arg("-o").arg(stage.program(program)).arg(&source))?;
        }
        for (section, programs) in MANUAL {
            let pages = empty(&stage.share().join("man").join(section))?;
            for program in programs {
                shell::run(Command::new(stage.program(program)).arg("manual").arg(&pages))?;
            }
            // As Debian wants it. Without names and times in them, the same pages make the same files.
            shell::run(Command::new("gzip").args(["--best", "--no-name", "--recursive"]).arg(&pages))?;
        }
        for (name, path) in COMPLETIONS {
            let path = stage.share().join(path);
            path.parent().map_or(Ok(()), fs::create_dir_all).context("cannot create a folder for completions")?;
            let script = shell::capture(Command::new(stage.program("muster")).args(["completion", name]))?;
            fs::write(&path, script + "\n").with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(stage)
    }

    /// The folder of the programs.
    pub fn programs(&self) -> PathBuf {
        self.target.join("release")
    }

    /// One of them.
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs().join(name)
    }

    /// What goes to `/usr/share`.
    pub fn share(&self) -> PathBuf {
        self.programs().join("share")
    }
}
