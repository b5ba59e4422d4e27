//! What is done with the store of a daemon that is not running: `musterd backup` and `musterd restore` as one checked
//! file, in which the sealing key is not, and `musterd rotate-key`, which gives it a new one.

use std::path::{Path, PathBuf};

use muster_store::{
    ExportError, ExportSummary, KeyError, OpenError, OpenReport, RestoreError, RotateError, Rotation, Sealer, Store,
};

use crate::config::{Config, Places};
use crate::daemon::{key_source, store_options};
use crate::state_dir::{self, StateDirError, make_private};

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum UpkeepError {
    /// There is nothing to look after.
    #[error("there is no store in {}", dir.display())]
    NoStore {
        /// Where it should be.
        dir: PathBuf,
    },
    /// The state directory cannot be made.
    #[error("cannot use the state directory")]
    StateDir(#[from] StateDirError),
    /// The store cannot be opened, perhaps because the daemon runs.
    #[error("cannot open the store")]
    Open(#[from] OpenError),
    /// The file cannot be written.
    #[error("cannot write the backup")]
    Export(#[from] ExportError),
    /// The file cannot be restored.
    #[error("cannot restore the backup")]
    Restore(#[from] RestoreError),
    /// It is restored, and the key of its secrets is not there.
    #[error("the store is restored, but its secrets cannot be read yet")]
    Key(#[from] KeyError),
    /// There is no new key.
    #[error("the sealing key stays as it was")]
    Rotate(#[from] RotateError),
    /// The thread that restores ended.
    #[error("restoring was interrupted; do it again")]
    Interrupted,
}

/// Writes all of the store to `file` and reads it back. What is there is replaced when the new one is complete.
pub async fn backup(config: &Config, places: &Places, file: &Path) -> Result<ExportSummary, UpkeepError> {
    let store = present(config, places).await?;
    let exported = store.export_to(file).await;
    store.close().await;
    Ok(exported?)
}

/// Builds the store from a backup; one that is there is put aside if `replace` is given. Then looks whether the key of its
/// secrets is where the daemon will look for it.
pub async fn restore(
    config: &Config,
    places: &Places,
    file: PathBuf,
    replace: bool,
) -> Result<OpenReport, UpkeepError> {
    let state_dir = config.state_dir_or_usual(places);
    make_private(&state_dir)?;
    let dir = state_dir::store(&state_dir);
    let restoring = {
        let dir = dir.clone();
        tokio::task::spawn_blocking(move || muster_store::restore(&dir, &file, replace))
    };
    let report = restoring.await.map_err(|_panicked| UpkeepError::Interrupted)??;
    let (store, _) = Store::open(dir, store_options(config)).await?;
    let sealer = Sealer::load(&store, key_source(config, &state_dir)).await;
    store.close().await;
    sealer?;
    Ok(report)
}

/// Seals all secrets under a new key, and writes an export that needs the new key only.
pub async fn rotate_key(config: &Config, places: &Places) -> Result<Rotation, UpkeepError> {
    let store = present(config, places).await?;
    let rotated = muster_store::rotate(&store, key_source(config, &config.state_dir_or_usual(places))).await;
    let exported = match &rotated {
        Ok(_) => store.export().await.map(drop),
        Err(_) => Ok(()),
    };
    store.close().await;
    exported?;
    Ok(rotated?)
}

/// The store that is there: none is made in order to be looked after.
async fn present(config: &Config, places: &Places) -> Result<Store, UpkeepError> {
    let dir = state_dir::store(&config.state_dir_or_usual(places));
    if !dir.exists() {
        return Err(UpkeepError::NoStore { dir });
    }
    Ok(Store::open(dir, store_options(config)).await?.0)
}
