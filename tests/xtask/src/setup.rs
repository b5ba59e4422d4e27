//! `cargo xtask setup`: brings a fresh Debian host to where tests and demo run. Quick when nothing is missing.

mod engine;
mod moto;
mod packages;
pub mod tools;

use anyhow::Result;

use crate::{host, image, shell};

/// Installs packages, starts the Docker Engine, builds the machine images: each only if it is not there.
pub fn run() -> Result<()> {
    let cache = host::cache_dir()?;
    packages::install(&cache)?;
    moto::install(&cache)?;
    let version = engine::start(&cache)?;
    shell::say(format!("host: Docker Engine {version}, {}", host::describe()?));
    image::ensure(&cache, false)
}
