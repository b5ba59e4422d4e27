//! Everything that decides what is in the machine images. The same inputs, the same hash, no new build.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::Kind;
use super::apt::Apt;
use crate::digest::{self, InputFile};
use crate::host;

/// Files of the image folder that are not part of what xtask builds.
const NOT_INPUTS: [&str; 2] = ["README.md", "Dockerfile"];

/// The builder itself is an input: a changed step gives a changed image.
const BUILDER: &str = include_str!("build.rs");

/// Certificates that an administrator added to this host; a machine trusts whom its host trusts.
const LOCAL_CERTIFICATES: &str = "/usr/local/share/ca-certificates";

/// The inputs, read once.
pub struct Inputs {
    /// The folder `daemon/drivers/local/image`.
    pub folder: PathBuf,
    /// How machines reach Debian's packages.
    pub apt: Apt,
    /// The host's own certificates, if it has any.
    pub certificates: Option<PathBuf>,
    files: Vec<InputFile>,
}

impl Inputs {
    /// Reads the image folder and the host's settings.
    pub fn read() -> Result<Inputs> {
        let folder = host::checkout().join("daemon/drivers/local/image");
        let mut files = digest::read_tree(&folder)?;
        files.retain(|file| !NOT_INPUTS.iter().any(|name| file.path == Path::new(name)));
        let certificates = Some(PathBuf::from(LOCAL_CERTIFICATES)).filter(|path| path.is_dir());
        if let Some(certificates) = &certificates {
            files.extend(digest::read_tree(certificates)?);
        }
        Ok(Inputs { folder, apt: Apt::of_host()?, certificates, files })
    }

    /// The packages of one list.
    pub fn packages(&self, kind: Kind) -> Result<Vec<String>> {
        let list = match kind {
            Kind::Plain => "packages-plain.txt",
            Kind::Machine => "packages-machine.txt",
        };
        let text = fs::read_to_string(self.folder.join(list)).with_context(|| format!("cannot read {list}"))?;
        Ok(text.split_whitespace().map(str::to_owned).collect())
    }

    /// 12 hex digits, short enough for a tag that people read.
    pub fn hash(&self) -> String {
        let apt = [&self.apt.mirror, &self.apt.sources, &self.apt.settings].map(String::as_str);
        digest::hash(&self.files, &[&[BUILDER], apt.as_slice()].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_lists_name_what_a_machine_cannot_do_without() {
        let folder = host::checkout().join("daemon/drivers/local/image");
        let apt = Apt { mirror: String::new(), sources: String::new(), settings: String::new() };
        let inputs = Inputs { folder, apt, certificates: None, files: Vec::new() };
        let plain = inputs.packages(Kind::Plain).unwrap();
        let machine = inputs.packages(Kind::Machine).unwrap();
        assert!(plain.iter().any(|name| name == "systemd-sysv") && plain.iter().any(|name| name == "openssh-server"));
        assert!(machine.iter().any(|name| name == "docker.io"));
        assert!(
            !plain.iter().any(|name| name == "docker.io"),
            "recipes must find nothing installed in a plain machine"
        );
    }
}
