//! Building a database from an export.

use std::{io, path::Path};

use crate::{
    ExportError, OpenError, OpenOptions, OpenReport, Repair, RestoreError,
    directory::{DirLock, Layout, create_private_dir},
    engine::{Engine, discard},
    export::{self, Snapshot},
    root::Root,
    witness::{self, Testimony, Witness},
    workshop::Built,
};

/// Restores the export `file` into `dir`, which must not hold a store unless `replace` is given; then the old one is put
/// aside. Blocking, and for a daemon that is not running. Generations and event numbers go on above everything that
/// either the export or the replaced store ever acknowledged, so that no cursor meets another event under its number.
pub fn restore(dir: &Path, file: &Path, replace: bool) -> Result<OpenReport, RestoreError> {
    let layout = Layout { dir: dir.to_owned() };
    let io = |source| OpenError::Io { path: dir.to_owned(), source };
    let loaded = export::load(file)?;
    create_private_dir(dir).map_err(io)?;
    let _lock = DirLock::acquire(&layout)?;
    // A damaged witness is no hindrance: it is about to be replaced.
    let testimony = witness::read(&layout.witness()).unwrap_or_default();
    if !replace && (testimony.is_some() || layout.sled().exists()) {
        return Err(RestoreError::StoreExists { dir: dir.to_owned() });
    }
    let aside = layout.free_place("replaced", testimony.map_or(0, |testimony| testimony.generation));
    let (engine, root) = install(&layout, &OpenOptions::default(), loaded, testimony.as_ref(), Some(&aside))?;
    discard(engine);
    Witness::create(&layout.witness(), &Testimony::of(&root, true)).map_err(io)?;
    Ok(OpenReport {
        created: false,
        generation: root.generation,
        records: root.count,
        repairs: vec![Repair::RestoredExport { export: file.to_owned() }],
        kept: Some(aside).filter(|aside| aside.exists()),
    })
}

/// The last rung of a repair: rebuilds from the newest intact export, if nothing is lost by that or the caller accepts.
pub(crate) fn from_newest_export(
    layout: &Layout,
    options: &OpenOptions,
    testimony: Option<&Testimony>,
    cause: &str,
) -> Result<(Engine, Root, Repair), OpenError> {
    let committed = testimony.map_or(0, |testimony| testimony.generation);
    let refusal = |export| OpenError::Damaged { dir: layout.dir.clone(), cause: cause.to_owned(), committed, export };
    let paths = export::list(&layout.exports()).map_err(|source| OpenError::Io { path: layout.exports(), source })?;
    let mut newest = None;
    for path in paths {
        match export::load(&path) {
            Ok(loaded) if testimony.is_none_or(|testimony| testimony.store_id == loaded.root.store_id) => {
                newest = Some((path, loaded));
                break;
            }
            Ok(_) => tracing::warn!(path = %path.display(), "this export is of another store"),
            Err(ExportError::OtherRelease { which, .. }) => {
                return Err(OpenError::OtherRelease { dir: layout.dir.clone(), which });
            }
            Err(error) => tracing::warn!(%error, "this export cannot be used"),
        }
    }
    let Some((path, loaded)) = newest else { return Err(refusal(None)) };
    let exported = loaded.root.generation;
    let complete = testimony.is_some_and(|testimony| testimony.judge(&loaded.root).is_ok());
    if !complete && !options.accept_older_export {
        return Err(refusal(Some((path, exported))));
    }
    // The repair has copied the files aside before it touched them.
    let (engine, root) = install(layout, options, loaded, testimony, None)?;
    let repair = if complete {
        Repair::RestoredExport { export: path }
    } else {
        Repair::RestoredOlderExport {
            export: path,
            first_lost: exported.saturating_add(1),
            last_lost: testimony.map(|testimony| testimony.generation),
        }
    };
    Ok((engine, root, repair))
}

/// Builds the export's database in the place of the present one.
fn install(
    layout: &Layout,
    options: &OpenOptions,
    mut snapshot: Snapshot,
    testimony: Option<&Testimony>,
    set_aside: Option<&Path>,
) -> Result<(Engine, Root), OpenError> {
    let root = &mut snapshot.root;
    if let Some(testimony) = testimony {
        root.generation = root.generation.max(testimony.generation);
        root.next_event = root.next_event.max(testimony.next_event);
    }
    // One above: the witness then accepts the new database even if we are interrupted before it is written anew.
    root.generation = root.generation.saturating_add(1);
    let root = *root;
    let engine = build(layout, options, snapshot, set_aside)?;
    Ok((engine, root))
}

/// Builds a database in the place of the present one, which nobody has open.
pub(crate) fn build(
    layout: &Layout,
    options: &OpenOptions,
    snapshot: Snapshot,
    set_aside: Option<&Path>,
) -> Result<Engine, OpenError> {
    Built::from(snapshot, layout, options.cache_bytes)
        .and_then(|built| built.install(set_aside))
        .map_err(|error| OpenError::Io { path: layout.sled(), source: io::Error::other(error.to_string()) })
}
