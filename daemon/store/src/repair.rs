//! The ladder of repairs. Each rung is tried only if all before it failed, and nothing passes that is not the whole of
//! what was committed.
//!
//! ```text
//! as it is → without unfinished snapshot and settings → without snapshots → newest export → refuse
//! ```
//! sled's snapshots only speed up its start; its log holds everything, and its settings file holds constants.
//!
//! The first rung that holds is then proven by a replay of the whole log. A snapshot hides damage in the log from sled:
//! all records read well, but what is committed next is gone after the next start (seen with one flipped byte in a
//! segment header). If the replay does not give the same records, the database is built anew from those just read.

use std::{fs, io, path::PathBuf};

use crate::{
    OpenError, OpenOptions, Repair,
    directory::{Layout, copy_dir, sync_dir},
    engine::{Engine, EngineError, discard},
    export::Snapshot,
    restore::{build, from_newest_export},
    root::Root,
    witness::Testimony,
};

const SNAPSHOT: &str = "snap.";
const UNFINISHED: &str = ".generating";
const SETTINGS: &str = "conf";

/// A database that passed every check.
pub(crate) struct Recovered {
    pub engine: Engine,
    pub root: Root,
    pub repairs: Vec<Repair>,
    pub kept: Option<PathBuf>,
}

/// Opens an existing database, by whatever rung holds.
pub(crate) fn recover(
    layout: &Layout,
    options: &OpenOptions,
    testimony: Option<&Testimony>,
) -> Result<Recovered, OpenError> {
    let kept = layout.damaged(testimony.map_or(0, |testimony| testimony.generation));
    let mut causes = Vec::new();
    let mut repairs = Vec::new();
    if layout.sled_file().exists() {
        for rung in [None, Some(Repair::RemovedUnfinishedSnapshot), Some(Repair::RemovedSnapshots)] {
            if let Some(repair) = rung {
                keep(layout, &kept).map_err(|source| OpenError::Io { path: kept.clone(), source })?;
                remove(layout, &repair).map_err(|source| OpenError::Io { path: layout.sled(), source })?;
                repairs.push(repair);
            }
            match attempt(layout, options, testimony) {
                Ok((engine, root)) => {
                    let (engine, rebuilt) = prove(layout, options, engine, root)?;
                    if rebuilt {
                        repairs.push(Repair::RebuiltFromRecords);
                    }
                    if let Some(testimony) = testimony
                        && root.generation < testimony.generation
                    {
                        repairs.push(Repair::UnacknowledgedGroupLost { generation: testimony.generation });
                    }
                    let kept = Some(kept).filter(|kept| !repairs.is_empty() && kept.exists());
                    return Ok(Recovered { engine, root, repairs, kept });
                }
                Err(error) => causes.push(error.to_string()),
            }
        }
    } else {
        causes.push("the database file is missing".to_owned());
    }
    causes.dedup();
    let cause = causes.join("; then ");
    tracing::error!(%cause, dir = %layout.dir.display(), "the store's database is damaged");
    let (engine, root, repair) = from_newest_export(layout, options, testimony, &cause)?;
    Ok(Recovered { engine, root, repairs: vec![repair], kept: Some(kept).filter(|kept| kept.exists()) })
}

/// Opens and checks the database as it now is.
fn attempt(
    layout: &Layout,
    options: &OpenOptions,
    testimony: Option<&Testimony>,
) -> Result<(Engine, Root), EngineError> {
    let engine = Engine::open(layout, options.cache_bytes)?;
    match engine.verify().and_then(|root| accept(root, testimony)) {
        Ok(root) => Ok((engine, root)),
        Err(error) => {
            discard(engine);
            Err(error)
        }
    }
}

fn accept(root: Option<Root>, testimony: Option<&Testimony>) -> Result<Root, EngineError> {
    let root = root.ok_or_else(|| EngineError::Failed("the database is empty".into()))?;
    if let Some(testimony) = testimony {
        testimony.judge(&root).map_err(EngineError::Failed)?;
    }
    Ok(root)
}

/// Opens once more without snapshots. Returns whether the database had to be built anew.
fn prove(layout: &Layout, options: &OpenOptions, engine: Engine, root: Root) -> Result<(Engine, bool), OpenError> {
    let io = |source| OpenError::Io { path: layout.sled(), source };
    let records = Snapshot::take(&engine, root);
    discard(engine);
    let records = records.map_err(|error| io(io::Error::other(error.to_string())))?;
    remove_files(layout, |name| name.starts_with(SNAPSHOT)).map_err(io)?;
    match attempt(layout, options, Some(&Testimony::of(&root, true))) {
        Ok((engine, replayed)) if replayed == root => return Ok((engine, false)),
        Ok((engine, _)) => discard(engine),
        Err(error) => tracing::warn!(%error, "sled's log is damaged; the database is built anew from its records"),
    }
    Ok((build(layout, options, &records, None)?, true))
}

/// Copies the damaged files aside before they are changed, once for each damage.
fn keep(layout: &Layout, kept: &std::path::Path) -> io::Result<()> {
    if kept.exists() {
        return Ok(());
    }
    let unfinished = kept.with_extension("tmp");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished)?;
    }
    copy_dir(&layout.sled(), &unfinished)?;
    fs::rename(&unfinished, kept)?;
    sync_dir(&layout.dir)
}

fn remove(layout: &Layout, repair: &Repair) -> io::Result<()> {
    let all_snapshots = *repair == Repair::RemovedSnapshots;
    remove_files(layout, |name| {
        name == SETTINGS || (name.starts_with(SNAPSHOT) && (all_snapshots || name.ends_with(UNFINISHED)))
    })
}

fn remove_files(layout: &Layout, chosen: impl Fn(&str) -> bool) -> io::Result<()> {
    for entry in fs::read_dir(layout.sled())? {
        let entry = entry?;
        if chosen(&entry.file_name().to_string_lossy()) {
            fs::remove_file(entry.path())?;
        }
    }
    sync_dir(&layout.sled())
}
