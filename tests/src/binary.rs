//! The programs under test, as cargo built them.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

/// The path of `muster`, `musterd` or another program of this workspace.
///
/// # Errors
/// If it was not built: cargo builds the programs of other packages only when it is told to, as `cargo xtask test` does.
pub fn path(program: &str) -> Result<PathBuf> {
    let this = std::env::current_exe().context("cannot tell where this program is")?;
    // target/debug/deps/system-… or target/debug/perf: the programs are in the nearest folder above that has them.
    let found = this.ancestors().skip(1).take(3).map(|folder| folder.join(program)).find(|path| path.is_file());
    match found {
        Some(path) => Ok(path),
        None => bail!("`{program}` is not built beside {}; run: cargo build --workspace", this.display()),
    }
}
