//! moto: a server that answers as EC2's API does, for the tests of the EC2 driver.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::shell;

/// The release that the tests were written against.
const RELEASE: &str = "moto[ec2,elbv2,server]==5.2.5";

/// Installs it into a Python environment of its own, if it is not there.
pub fn install(cache: &Path) -> Result<()> {
    let folder = cache.join("moto");
    if folder.join("bin/moto_server").exists() {
        return Ok(());
    }
    shell::say("installing moto, which answers as EC2 does");
    let log = cache.join("moto.log");
    shell::run_logged(Command::new("python3").args(["-m", "venv"]).arg(&folder), &log)?;
    shell::run_logged(Command::new(folder.join("bin/pip")).args(["install", "--quiet", RELEASE]), &log)
}
