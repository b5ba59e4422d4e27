//! A signed apt repository without suites and components, as each minor version has one at `pkgs.k8s.io`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::release::Release;
use crate::shell;

/// Who signs. The key is made on the first build, stays in the cache, and signs nothing but this.
const SIGNER: &str = "Muster test harness <root@localhost>";

/// Writes the index of the packages in `folder`, the signatures, and the key beside them.
pub fn publish(keys: &Path, folder: &Path, release: &Release, log: &Path) -> Result<()> {
    ensure_key(keys, log)?;
    let packages = shell::capture(apt_ftparchive(folder).args(["packages", "."]))? + "\n";
    write(&folder.join("Packages"), &packages)?;
    let mut gzip = Command::new("gzip");
    shell::run_logged(gzip.args(["-9", "-k", "-n", "-f"]).arg(folder.join("Packages")), log)?;
    let name = format!("isv:kubernetes:core:stable:v{}", release.minor());
    let mut index = apt_ftparchive(folder);
    for (field, value) in [("Origin", name.as_str()), ("Label", &name), ("Suite", "/")] {
        index.arg("-o").arg(format!("APT::FTPArchive::Release::{field}={value}"));
    }
    let text = shell::capture(index.args(["release", "."]))? + "\n";
    write(&folder.join("Release"), &text)?;
    for (arguments, file) in [(["--clearsign"].as_slice(), "InRelease"), (&["--armor", "--detach-sign"], "Release.gpg")]
    {
        let mut sign = gpg(keys);
        sign.arg("--yes").arg("--output").arg(folder.join(file)).args(arguments).arg(folder.join("Release"));
        shell::run_logged(&mut sign, log)?;
    }
    let key = shell::capture(gpg(keys).args(["--armor", "--export", SIGNER]))? + "\n";
    if !key.contains("BEGIN PGP PUBLIC KEY BLOCK") {
        bail!("gpg exports no key of `{SIGNER}`");
    }
    write(&folder.join("Release.key"), &key)
}

fn ensure_key(keys: &Path, log: &Path) -> Result<()> {
    fs::create_dir_all(keys).with_context(|| format!("cannot create {}", keys.display()))?;
    // gpg complains of a folder that others may read.
    fs::set_permissions(keys, fs::Permissions::from_mode(0o700))
        .with_context(|| format!("cannot set the mode of {}", keys.display()))?;
    if shell::succeeds(gpg(keys).args(["--list-secret-keys", SIGNER])) {
        return Ok(());
    }
    let mut generate = gpg(keys);
    generate.args(["--passphrase", "", "--quick-generate-key", SIGNER, "rsa3072", "sign", "never"]);
    shell::run_logged(&mut generate, log)
}

fn gpg(keys: &Path) -> Command {
    let mut gpg = Command::new("gpg");
    // Without an agent of the user's, and none is left running: gpg starts one for this folder and ends it with the folder.
    gpg.arg("--homedir").arg(keys).args(["--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback"]);
    gpg.stdin(Stdio::null());
    gpg
}

fn apt_ftparchive(folder: &Path) -> Command {
    let mut command = Command::new("apt-ftparchive");
    command.current_dir(folder);
    command
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
