//! Golden files of stored values, for the tests of crates that define records.
//!
//! `<dir>/<name>.v<schema>.<case>.bin` holds the payload of one value as that schema version was written. The present
//! version must encode to exactly its files, and every earlier version's files must still decode to the same value.
//! Files are written once, by a run with `MUSTER_WRITE_FIXTURES=1`, and never changed again.

use std::{fmt::Debug, fs, path::Path};

use crate::{Payload, codec};

/// Checks the golden files of `T`. `cases` are the values, by name, that every version's files of that name stand for.
/// The error names the first file that does not hold.
pub fn check<T: Payload + PartialEq + Debug>(dir: &Path, name: &str, cases: &[(&str, T)]) -> Result<(), String> {
    for (case, value) in cases {
        check_present(dir, name, case, value)?;
        for schema in 0..=T::SCHEMA {
            let path = dir.join(format!("{name}.v{schema}.{case}.bin"));
            if !path.exists() {
                continue;
            }
            let bytes = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            let decoded = T::decode(schema, &bytes).map_err(|error| format!("{}: {error}", path.display()))?;
            if decoded != *value {
                return Err(format!("{} decodes to {decoded:?} instead of {value:?}", path.display()));
            }
        }
    }
    Ok(())
}

fn check_present<T: Payload>(dir: &Path, name: &str, case: &str, value: &T) -> Result<(), String> {
    let path = dir.join(format!("{name}.v{}.{case}.bin", T::SCHEMA));
    let encoded = codec::encode(value).map_err(|error| error.to_string())?;
    if !path.exists() {
        if std::env::var_os("MUSTER_WRITE_FIXTURES").is_none() {
            return Err(format!("{} is missing; write it with MUSTER_WRITE_FIXTURES=1 and commit it", path.display()));
        }
        let written = fs::create_dir_all(dir).and_then(|()| fs::write(&path, &encoded));
        return written.map_err(|error| format!("{}: {error}", path.display()));
    }
    let golden = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    if golden != encoded {
        return Err(format!(
            "{} differs from what is written today: a stored shape was changed in place; raise SCHEMA instead",
            path.display()
        ));
    }
    Ok(())
}
