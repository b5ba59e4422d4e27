//! Opening: lock, find out what is there, repair or refuse, and put the witness in line.

use std::io;

use crate::{
    OpenError, OpenOptions, OpenReport, Repair,
    audit::AuditHead,
    chunk::Chunk,
    directory::{DirLock, Layout, create_private_dir},
    engine::Engine,
    export::{self, Snapshot},
    found::Records,
    group::Committer,
    renewal::Renewal,
    repair::{Recovered, protect_snapshot, recover},
    restore::{build, from_newest_export},
    root::Root,
    witness::{self, Testimony, Witness},
};

/// An open store before its writer starts.
pub(crate) struct Opened {
    pub engine: Engine,
    pub lock: DirLock,
    /// To be run before the first commit; a database that was just built needs none.
    pub renewal: Option<Renewal>,
    pub committer: Committer,
    pub report: OpenReport,
}

/// The open procedure. Blocking.
pub(crate) fn open_blocking(layout: &Layout, options: &OpenOptions) -> Result<Opened, OpenError> {
    create_private_dir(&layout.dir).map_err(|source| OpenError::Io { path: layout.dir.clone(), source })?;
    let lock = DirLock::acquire(layout)?;
    let mut found = find(layout, options)?;
    let unreadable = |error: crate::engine::EngineError| OpenError::Io {
        path: layout.sled(),
        source: io::Error::other(error.to_string()),
    };
    let tail = Chunk::tail(&found.engine, found.root.next_event).map_err(unreadable)?;
    let audit = AuditHead::tail(&found.engine).map_err(unreadable)?;
    protect_snapshot(layout).map_err(|source| OpenError::Io { path: layout.snapshot_copy(), source })?;
    let testimony = Testimony::of(&found.root, true);
    let path = layout.witness();
    let in_line = found.witnessed == Some(testimony);
    let witness = if in_line { Witness::open(&path) } else { Witness::create(&path, &testimony) };
    let committer =
        witness.and_then(|witness| Committer::new(found.root, tail, audit, witness, options.fault_hook.clone()));
    let committer = committer.map_err(|source| OpenError::Io { path, source })?;
    for repair in &found.repairs {
        tracing::warn!(?repair, dir = %layout.dir.display(), "the store was repaired");
    }
    let report = OpenReport {
        created: found.created,
        generation: found.root.generation,
        records: found.root.count,
        repairs: std::mem::take(&mut found.repairs),
        kept: found.kept,
    };
    let renewal = found.unrenewed.map(|snapshot| Renewal {
        layout: layout.clone(),
        cache_bytes: options.cache_bytes,
        snapshot,
        hook: options.fault_hook.clone(),
    });
    Ok(Opened { engine: found.engine, lock, renewal, committer, report })
}

/// A verified database.
struct FoundDatabase {
    engine: Engine,
    root: Root,
    unrenewed: Option<Snapshot>,
    witnessed: Option<Testimony>,
    created: bool,
    repairs: Vec<Repair>,
    kept: Option<std::path::PathBuf>,
}

fn find(layout: &Layout, options: &OpenOptions) -> Result<FoundDatabase, OpenError> {
    let io = |path: std::path::PathBuf| move |source: io::Error| OpenError::Io { path, source };
    let database = layout.sled_file().try_exists().map_err(io(layout.sled_file()))?;
    let testimony = match witness::read(&layout.witness()) {
        Ok(testimony) => testimony,
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return without_witness(layout, options, database, &error.to_string());
        }
        Err(source) => return Err(OpenError::Io { path: layout.witness(), source }),
    };
    match testimony {
        // The first open was interrupted before it returned: nothing can have been committed.
        Some(Testimony { generation: 0, confirmed: false, .. }) => create(layout, options),
        Some(testimony) => {
            let Recovered { engine, root, unrenewed, repairs, kept } = recover(layout, options, Some(&testimony))?;
            Ok(FoundDatabase { engine, root, unrenewed, witnessed: Some(testimony), created: false, repairs, kept })
        }
        None if database => without_witness(layout, options, database, "the file is missing"),
        None => {
            let exports = export::list(&layout.exports()).map_err(io(layout.exports()))?;
            match (exports.is_empty(), options.accept_older_export) {
                (true, _) => create(layout, options),
                (false, false) => Err(OpenError::OnlyExports { dir: layout.dir.clone() }),
                (false, true) => {
                    let (engine, root, repair) = from_newest_export(layout, options, None, "nothing else is left")?;
                    let repairs = vec![repair];
                    Ok(FoundDatabase {
                        engine,
                        root,
                        unrenewed: None,
                        witnessed: None,
                        created: false,
                        repairs,
                        kept: None,
                    })
                }
            }
        }
    }
}

fn without_witness(
    layout: &Layout,
    options: &OpenOptions,
    database: bool,
    cause: &str,
) -> Result<FoundDatabase, OpenError> {
    if !options.accept_unwitnessed || !database {
        return Err(OpenError::Unwitnessed { dir: layout.dir.clone(), cause: cause.to_owned() });
    }
    let Recovered { engine, root, unrenewed, mut repairs, kept } = recover(layout, options, None)?;
    repairs.push(Repair::TrustedUnwitnessed);
    Ok(FoundDatabase { engine, root, unrenewed, witnessed: None, created: false, repairs, kept })
}

/// Starts an empty store. The unconfirmed witness comes first, so that an interruption at any point is recognised.
fn create(layout: &Layout, options: &OpenOptions) -> Result<FoundDatabase, OpenError> {
    let mut store_id = [0; 16];
    aws_lc_rs::rand::fill(&mut store_id)
        .map_err(|_| OpenError::Interrupted("the system has no random numbers".into()))?;
    let root = Root::new(store_id);
    Witness::create(&layout.witness(), &Testimony::of(&root, false))
        .map_err(|source| OpenError::Io { path: layout.witness(), source })?;
    let engine = build(layout, options, Snapshot { root, records: Records::default() }, None)?;
    let repairs = Vec::new();
    Ok(FoundDatabase { engine, root, unrenewed: None, witnessed: None, created: true, repairs, kept: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{engine::Purpose, envelope, root::ROOT_KEY};

    /// A store whose files were written by `write` in place of this release.
    fn opened_after(write: impl FnOnce(&Engine)) -> OpenError {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout { dir: folder.path().join("store") };
        let options = OpenOptions::default();
        drop(open_blocking(&layout, &options).unwrap());
        let engine = Engine::open(&layout, options.cache_bytes, Purpose::Checks).unwrap();
        write(&engine);
        engine.db().flush().unwrap();
        drop(engine);
        open_blocking(&layout, &options).map(drop).unwrap_err()
    }

    fn put(engine: &Engine, key: &[u8], schema: u16, payload: &[u8]) {
        engine.db().insert(key, envelope::encode(key, schema, 0, payload)).unwrap();
    }

    #[test]
    fn what_another_release_wrote_is_named_as_such_and_never_taken_for_damage() {
        let cases: [(&str, OpenError); 4] = [
            ("a table with the number 99", opened_after(|engine| put(engine, &[99, 1], 1, b"new"))),
            ("its root record has schema 3", opened_after(|engine| put(engine, &ROOT_KEY, 3, b"new"))),
            (
                "its format is 2, this release knows 1",
                opened_after(|engine| {
                    let root = Root { format: 2, ..engine.root().unwrap().unwrap() };
                    engine.db().insert(ROOT_KEY, root.encode().unwrap()).unwrap();
                }),
            ),
            ("a development build", opened_after(|engine| put(engine, &ROOT_KEY, 1, b"old"))),
        ];
        for (said, error) in cases {
            let OpenError::OtherRelease { which, .. } = &error else { panic!("{error}") };
            assert!(which.contains(said), "{error}");
            assert!(!error.to_string().contains("accept_older_export"), "{error}");
        }
    }

    #[test]
    fn a_damaged_record_outside_every_table_is_damage() {
        let error = opened_after(|engine| drop(engine.db().insert([99, 1], b"garbage").unwrap()));
        assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    }
}
