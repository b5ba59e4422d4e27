//! Everything that decides what is in the machine images. The same inputs, the same hash, no new build.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::Kind;
use super::apt::Apt;
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

/// A file that goes into the hash.
struct InputFile {
    path: PathBuf,
    executable: bool,
    content: Vec<u8>,
}

impl Inputs {
    /// Reads the image folder and the host's settings.
    pub fn read() -> Result<Inputs> {
        let folder = host::checkout().join("daemon/drivers/local/image");
        let mut files = read_tree(&folder)?;
        files.retain(|file| !NOT_INPUTS.iter().any(|name| file.path == Path::new(name)));
        let certificates = Some(PathBuf::from(LOCAL_CERTIFICATES)).filter(|path| path.is_dir());
        if let Some(certificates) = &certificates {
            files.extend(read_tree(certificates)?);
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
        hash(&self.files, &[&[BUILDER], apt.as_slice()].concat())
    }
}

fn hash(files: &[InputFile], texts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    // Lengths keep neighbours apart: moving a byte from one part to the next is a change.
    let mut add = |bytes: &[u8]| {
        hasher.update((bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    for file in files {
        add(file.path.as_os_str().as_encoded_bytes());
        add(&[u8::from(file.executable)]);
        add(&file.content);
    }
    for text in texts {
        add(text.as_bytes());
    }
    hasher.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// All files below a folder by relative path, in the order of their paths.
fn read_tree(root: &Path) -> Result<Vec<InputFile>> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let content = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let executable = fs::metadata(&path)?.permissions().mode() & 0o100 != 0;
            let path = path.strip_prefix(root).unwrap_or(&path).to_owned();
            files.push(InputFile { path, executable, content });
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash_of(folder: &Path, texts: &[&str]) -> String {
        hash(&read_tree(folder).unwrap(), texts)
    }

    #[test]
    fn the_same_inputs_have_the_same_hash_wherever_they_lie() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for root in [&a, &b] {
            fs::create_dir(root.path().join("etc")).unwrap();
            fs::write(root.path().join("etc/x"), "1").unwrap();
            fs::write(root.path().join("y"), "2").unwrap();
        }
        assert_eq!(hash_of(a.path(), &["t"]), hash_of(b.path(), &["t"]));
        assert_eq!(hash_of(a.path(), &["t"]).len(), 12);
    }

    #[test]
    fn content_name_mode_and_settings_each_change_the_hash() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("init");
        fs::write(&file, "1").unwrap();
        let mut seen = vec![hash_of(root.path(), &["mirror", ""])];
        seen.push(hash_of(root.path(), &["mirro", "r"]));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        seen.push(hash_of(root.path(), &["mirror", ""]));
        fs::write(&file, "2").unwrap();
        seen.push(hash_of(root.path(), &["mirror", ""]));
        fs::rename(&file, root.path().join("init2")).unwrap();
        seen.push(hash_of(root.path(), &["mirror", ""]));
        let distinct: std::collections::BTreeSet<_> = seen.iter().collect();
        assert_eq!(distinct.len(), seen.len(), "{seen:?}");
    }

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
