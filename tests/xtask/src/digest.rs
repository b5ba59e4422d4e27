//! What something was made from, as a short hash: the same inputs, the same hash, nothing made again.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// A file that goes into the hash.
pub struct InputFile {
    /// Relative to the folder.
    pub path: PathBuf,
    /// Whether its owner may run it.
    pub executable: bool,
    /// All of it.
    pub content: Vec<u8>,
}

/// 12 hex digits, short enough for a name that people read.
pub fn hash(files: &[InputFile], texts: &[&str]) -> String {
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
pub fn read_tree(root: &Path) -> Result<Vec<InputFile>> {
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
}
