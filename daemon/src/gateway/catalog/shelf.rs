//! Where the catalog stands: it is read again when the user's folder has changed, so a new template needs no restart.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use muster_catalog::Catalog;
use tokio::sync::Mutex;

/// The catalog, as of the last look at the folder.
pub struct Shelf {
    folder: PathBuf,
    present: Mutex<Stock>,
}

struct Stock {
    folder: Fingerprint,
    catalog: Arc<Catalog>,
}

/// Names, sizes and times of the files in a folder.
type Fingerprint = Vec<(PathBuf, u64, Option<SystemTime>)>;

impl Shelf {
    /// The built-in templates and those of a folder. Reads files.
    pub fn load(folder: PathBuf) -> Self {
        let present = Stock { folder: fingerprint(&folder), catalog: Arc::new(Catalog::load(Some(&folder))) };
        Self { folder, present: Mutex::new(present) }
    }

    /// The catalog as the folder is now.
    pub async fn catalog(&self) -> Arc<Catalog> {
        let mut present = self.present.lock().await;
        let (folder, known) = (self.folder.clone(), present.folder.clone());
        let changed = tokio::task::spawn_blocking(move || {
            // Before reading, so that a change while reading is seen the next time.
            let now = fingerprint(&folder);
            (now != known).then(|| (now, Catalog::load(Some(&folder))))
        });
        if let Ok(Some((folder, catalog))) = changed.await {
            *present = Stock { folder, catalog: Arc::new(catalog) };
        }
        present.catalog.clone()
    }
}

fn fingerprint(folder: &Path) -> Fingerprint {
    let Ok(entries) = folder.read_dir() else { return Vec::new() };
    let files = entries.flatten().filter_map(|entry| {
        let metadata = entry.path().metadata().ok()?;
        Some((entry.path(), metadata.len(), metadata.modified().ok()))
    });
    let mut files: Fingerprint = files.collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_that_is_put_into_the_folder_is_seen_without_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::load(folder.path().to_owned());
        assert!(shelf.catalog().await.list().broken.is_empty());
        std::fs::write(folder.path().join("mine.yaml"), "not a template").unwrap();
        assert_eq!(shelf.catalog().await.list().broken.len(), 1);
        std::fs::remove_file(folder.path().join("mine.yaml")).unwrap();
        assert!(shelf.catalog().await.list().broken.is_empty());
    }
}
