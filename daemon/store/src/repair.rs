//! The ladder of repairs. Each rung is tried only if all before it failed, and nothing passes that is not the whole of
//! what was committed.
//!
//! ```text
//! as it is → without settings → our copy of the snapshot → no snapshot → newest export → refuse
//! ```
//! An unfinished snapshot, which a kill during the start leaves and sled then stumbles over, is removed first of all: it
//! is never needed. sled's settings file holds constants. Its snapshots should only speed up its start, but that is true of a young
//! database only: once its collector has freed the first segments, a replay without a snapshot may end as an empty
//! database. Hence our copy.
//!
//! Every rung but the first starts from a copy of the files as found, because sled zeroes what it does not understand.
//! A refusal puts those files back.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    OpenError, OpenOptions, Repair,
    directory::{Layout, copy_dir, create_private_dir, sync_dir},
    engine::{Engine, EngineError, Purpose, discard},
    export::Snapshot,
    restore::from_newest_export,
    root::Root,
    verify::Checked,
    witness::Testimony,
};

const SNAPSHOT: &str = "snap.";
const UNFINISHED: &str = ".generating";
const SETTINGS: &str = "conf";
const RUNGS: [Repair; 3] = [Repair::RemovedSettings, Repair::RestoredSnapshot, Repair::RemovedSnapshots];

/// A database that passed every check.
pub(crate) struct Recovered {
    pub engine: Engine,
    pub root: Root,
    /// All records, if they still lie in the files as found. Those are good enough to be read, not to be written to.
    pub unrenewed: Option<Snapshot>,
    pub repairs: Vec<Repair>,
    pub kept: Option<PathBuf>,
}

/// Opens an existing database, by whatever rung holds.
pub(crate) fn recover(
    layout: &Layout,
    options: &OpenOptions,
    testimony: Option<&Testimony>,
) -> Result<Recovered, OpenError> {
    let io = |source| OpenError::Io { path: layout.sled(), source };
    put_back(layout).map_err(io)?;
    let mut causes = Vec::new();
    let mut repairs = remove_unfinished(layout).map_err(io)?;
    if layout.sled_file().exists() {
        match attempt(layout, options, testimony) {
            Ok((engine, snapshot)) => {
                let root = snapshot.root;
                repairs.extend(lost_group(&root, testimony));
                return Ok(Recovered { engine, root, unrenewed: Some(snapshot), repairs, kept: None });
            }
            // Nothing is damaged, so there is nothing to repair, and no older copy is better.
            Err(EngineError::OtherRelease(which)) => {
                return Err(OpenError::OtherRelease { dir: layout.dir.clone(), which });
            }
            Err(error) => causes.push(error.to_string()),
        }
        copy_aside(layout).map_err(io)?;
        for rung in RUNGS {
            climb(layout, &rung).map_err(io)?;
            match attempt(layout, options, testimony) {
                Ok((engine, snapshot)) => {
                    let root = snapshot.root;
                    repairs.push(rung);
                    repairs.extend(lost_group(&root, testimony));
                    let kept = keep(layout, &root).map_err(io)?;
                    return Ok(Recovered { engine, root, unrenewed: Some(snapshot), repairs, kept });
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
    match from_newest_export(layout, options, testimony, &cause) {
        Ok((engine, root, repair)) => {
            let kept = keep(layout, &root).map_err(io)?;
            Ok(Recovered { engine, root, unrenewed: None, repairs: vec![repair], kept })
        }
        Err(refusal) => {
            put_back(layout).map_err(io)?;
            Err(refusal)
        }
    }
}

/// Opens and checks the database as it now is.
fn attempt(
    layout: &Layout,
    options: &OpenOptions,
    testimony: Option<&Testimony>,
) -> Result<(Engine, Snapshot), EngineError> {
    let engine = Engine::open(layout, options.cache_bytes, Purpose::Checks)?;
    match engine.verify(Checked::Kept).and_then(|found| accept(found, testimony)) {
        Ok(snapshot) => Ok((engine, snapshot)),
        Err(error) => {
            discard(engine);
            Err(error)
        }
    }
}

fn accept(
    found: Option<(Root, Vec<(sled::IVec, sled::IVec)>)>,
    testimony: Option<&Testimony>,
) -> Result<Snapshot, EngineError> {
    let (root, records) = found.ok_or_else(|| EngineError::Failed("the database is empty".into()))?;
    if let Some(testimony) = testimony {
        testimony.judge(&root).map_err(EngineError::Failed)?;
    }
    Ok(Snapshot { root, records: Arc::new(records) })
}

fn lost_group(root: &Root, testimony: Option<&Testimony>) -> Option<Repair> {
    let witnessed = testimony?.generation;
    (root.generation < witnessed).then_some(Repair::UnacknowledgedGroupLost { generation: witnessed })
}

fn remove_unfinished(layout: &Layout) -> io::Result<Vec<Repair>> {
    let unfinished = files(&layout.sled(), |name| name.starts_with(SNAPSHOT) && name.ends_with(UNFINISHED))?;
    for path in &unfinished {
        fs::remove_file(path)?;
    }
    Ok(if unfinished.is_empty() { Vec::new() } else { vec![Repair::RemovedUnfinishedSnapshot] })
}

/// Copies sled's files to where every rung starts from.
fn copy_aside(layout: &Layout) -> io::Result<()> {
    let unfinished = layout.as_found().with_extension("tmp");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished)?;
    }
    copy_dir(&layout.sled(), &unfinished)?;
    fs::rename(&unfinished, layout.as_found())?;
    sync_dir(&layout.dir)
}

/// Puts the files as found back, also those of a repair that was interrupted.
fn put_back(layout: &Layout) -> io::Result<()> {
    if !layout.as_found().exists() {
        return Ok(());
    }
    if layout.sled().exists() {
        fs::remove_dir_all(layout.sled())?;
    }
    fs::rename(layout.as_found(), layout.sled())?;
    sync_dir(&layout.dir)
}

/// Keeps the files as found for whoever wants to know what happened.
fn keep(layout: &Layout, root: &Root) -> io::Result<Option<PathBuf>> {
    if !layout.as_found().exists() {
        return Ok(None);
    }
    let place = layout.free_place("damaged", root.generation);
    fs::rename(layout.as_found(), &place)?;
    sync_dir(&layout.dir)?;
    Ok(Some(place))
}

fn climb(layout: &Layout, rung: &Repair) -> io::Result<()> {
    fs::remove_dir_all(layout.sled())?;
    copy_dir(&layout.as_found(), &layout.sled())?;
    let snapshots = *rung != Repair::RemovedSettings;
    for path in files(&layout.sled(), |name| name == SETTINGS || (snapshots && name.starts_with(SNAPSHOT)))? {
        fs::remove_file(path)?;
    }
    if *rung == Repair::RestoredSnapshot {
        copy_snapshots(&layout.snapshot_copy(), &layout.sled())?;
    }
    Ok(())
}

/// Copies sled's snapshot, which is written only when sled starts.
pub(crate) fn protect_snapshot(layout: &Layout) -> io::Result<()> {
    let copy = layout.snapshot_copy();
    create_private_dir(&copy)?;
    for old in files(&copy, |_| true)? {
        fs::remove_file(old)?;
    }
    copy_snapshots(&layout.sled(), &copy)?;
    sync_dir(&copy)
}

fn copy_snapshots(from: &Path, to: &Path) -> io::Result<()> {
    for path in files(from, |name| name.starts_with(SNAPSHOT))? {
        if let Some(name) = path.file_name() {
            fs::copy(&path, to.join(name))?;
            fs::File::open(to.join(name))?.sync_all()?;
        }
    }
    Ok(())
}

fn files(dir: &Path, chosen: impl Fn(&str) -> bool) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if chosen(&entry.file_name().to_string_lossy()) {
            found.push(entry.path());
        }
    }
    Ok(found)
}
