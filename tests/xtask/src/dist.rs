//! `cargo xtask dist`: what is handed out. A Debian package, archives of the programs and of the source, a list of all that
//! is compiled in (SBOM), and the SHA-256 sums of them all.
//!
//! `daemon/Cargo.toml` says what is in the Debian package, and cargo-deb packs it. See docs/install.md.

mod archives;
mod debian;
mod sbom;
mod stage;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::{host, shell};
use stage::Stage;

/// The workspace's version, which is this crate's too.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A version of the package that every real one is above. Tests upgrade from it.
const EARLIER_VERSION: &str = "0.0.1-1";

/// Options of `cargo xtask dist`.
#[derive(clap::Args)]
pub struct Options {
    /// How the programs are built; `dev` packs those that are built already for tests
    #[arg(long, value_enum, default_value_t = Profile::Release)]
    profile: Profile,
    /// Leave Amazon EC2 out, whose SDK takes minutes to compile
    #[arg(long)]
    without_ec2: bool,
}

/// A profile of cargo's.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Profile {
    /// Optimised, built now.
    Release,
    /// Quickly built, as it is there.
    Dev,
}

impl Profile {
    /// Where cargo puts what it builds with it.
    fn built(self) -> PathBuf {
        host::target_dir().join(match self {
            Profile::Release => "release",
            Profile::Dev => "debug",
        })
    }

    /// Where what is handed out goes.
    fn folder(self) -> PathBuf {
        host::target_dir().join(match self {
            Profile::Release => "dist",
            Profile::Dev => "dist-dev",
        })
    }
}

/// Builds, packs, and says where it is.
pub fn run(options: &Options) -> Result<()> {
    let selection = selection(options.without_ec2);
    if options.profile == Profile::Release {
        shell::say("building for release (many minutes, the first time)");
        shell::run(host::cargo().args(["build", "--release", "--locked", "--bins"]).args(&selection))?;
    }
    let folder = options.profile.folder();
    let packages = empty(&folder.join("packages"))?;
    let stage = Stage::make(&options.profile.built(), &folder)?;
    shell::say("packing");
    debian::pack(&stage, options.profile, None, &packages)?;
    archives::of_programs(&stage, &packages)?;
    archives::of_source(&packages)?;
    sbom::write(&selection, &packages.join(format!("muster-{VERSION}.cdx.json")))?;
    let sums = archives::write_sums(&packages)?;
    shell::say(format!("in {}:", packages.display()));
    print!("{sums}");
    Ok(())
}

/// The Debian package of the programs that tests use, and one of an earlier version with the same in it: their folder.
pub fn for_tests() -> Result<PathBuf> {
    shell::say("packing the programs under test");
    let folder = Profile::Dev.folder();
    let packages = empty(&folder.join("packages"))?;
    let stage = Stage::make(&Profile::Dev.built(), &folder)?;
    for version in [None, Some(EARLIER_VERSION)] {
        debian::pack(&stage, Profile::Dev, version, &packages)?;
    }
    Ok(packages)
}

/// The packages that programs are made of, and their features, as arguments of cargo.
fn selection(without_ec2: bool) -> Vec<&'static str> {
    let mut selection = vec!["--package", "musterd", "--package", "muster-client", "--package", "muster-bridge"];
    if without_ec2 {
        // Whoever turns the daemon's defaults off turns off the command line's too.
        selection.extend(["--no-default-features", "--features", "muster-client/cli"]);
    }
    selection
}

/// The folder, with nothing in it.
fn empty(folder: &Path) -> Result<PathBuf> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot remove {}", folder.display()));
        }
        _ => {}
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder.to_owned())
}
