//! The index of tests by operation: made from the line `Covers:` at the top of each test file that walks operations.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

#[path = "../../protocol/tests/samples/mod.rs"]
mod samples;

/// Where such files lie.
const FOLDERS: [&str; 5] =
    ["daemon/tests", "tests/tests", "tests/ec2/tests", "tests/kubernetes/tests", "tests/crash/tests"];

const HEAD: &str = "# Tests by operation

Which test files walk which operation of the gateway, from the line `Covers:` at the top of each. `tests/tests/index.rs` makes
this page, and fails if an operation has no test: `MUSTER_WRITE_REFERENCE=1 cargo test -p muster-tests --test index`.

| operation | tests |
|---|---|
";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            rust_files(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(())
}

/// The operations that a file says it covers.
fn covered(source: &str) -> Vec<String> {
    let head: Vec<&str> = source.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim).collect();
    let Some(first) = head.iter().position(|line| line.starts_with("Covers:")) else { return Vec::new() };
    let text = head[first..].join(" ");
    let list = text.trim_start_matches("Covers:").split('.').next().unwrap_or_default();
    list.split(',').map(|operation| operation.trim().to_owned()).collect()
}

#[test]
fn every_operation_has_a_test_and_the_index_is_current() -> Result<()> {
    let requests = samples::client::requests();
    let operations: BTreeSet<&str> = requests.iter().map(|(_, request)| request.operation_id()).collect();
    let mut files = Vec::new();
    for folder in FOLDERS {
        rust_files(&root().join(folder), &mut files)?;
    }
    files.sort();
    let mut tests: BTreeMap<&str, Vec<String>> = operations.iter().map(|operation| (*operation, Vec::new())).collect();
    for file in files {
        let name = file.strip_prefix(root())?.display().to_string();
        for operation in covered(&fs::read_to_string(&file)?) {
            let tests = tests.get_mut(operation.as_str());
            tests.with_context(|| format!("{name} covers {operation}, which is no operation"))?.push(name.clone());
        }
    }
    let mut page = HEAD.to_owned();
    for (operation, files) in &tests {
        ensure!(!files.is_empty(), "no test covers {operation}: say so at the top of the one that does");
        let files: Vec<String> = files.iter().map(|file| format!("`{file}`")).collect();
        writeln!(page, "| {operation} | {} |", files.join(", "))?;
    }
    let target = root().join("docs/reference/tests.md");
    if std::env::var_os("MUSTER_WRITE_REFERENCE").is_some() {
        fs::write(&target, &page)?;
    }
    let current = fs::read_to_string(&target).unwrap_or_default();
    ensure!(current == page, "docs/reference/tests.md is not current: run this test with MUSTER_WRITE_REFERENCE=1");
    Ok(())
}
