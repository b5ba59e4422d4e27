//! Pages of the documentation that are made from the code.

use std::path::{Path, PathBuf};

/// A file of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Checks that the file is what the code makes of it, or makes it so if `UPDATE_REFERENCE` is set.
pub fn assert_current(file: &str, wanted: &str) {
    let path = repository().join(file);
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(&path, wanted).unwrap();
    }
    let present = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(present == wanted, "{file} is not current: run this test with UPDATE_REFERENCE=1");
}
