//! Nobody is told of a commit before the disk has it: `strace` counts the real `fdatasync` calls of a child process, on the
//! database and on its witness, between the beginning of each commit and its acknowledgement.
#![allow(clippy::unwrap_used)] // a test file; clippy allows it only within test functions

mod common;

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    io::Write,
    process::{Command, Stdio},
};

use common::{Note, open, put, tempdir};

const DIR: &str = "MUSTER_STORE_SYNC_TEST_DIR";
const COMMITS: usize = 20;

/// The child's part; does nothing when run as a test.
#[tokio::test]
async fn child_that_commits_under_strace() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let (store, _) = open(dir.as_ref()).await;
    // One write a line, so that each is one call in the trace.
    let say = |what: String| std::io::stdout().write_all(what.as_bytes()).unwrap();
    for n in 0..COMMITS {
        say(format!("commit {n}\n"));
        put(&store, &[Note::numbered(n)]).await;
        say(format!("told {n}\n"));
    }
    store.close().await;
}

#[test]
fn every_acknowledged_commit_was_synced_to_the_database_and_to_its_witness() {
    let dir = tempdir();
    let (store, trace) = (dir.path().join("store"), dir.path().join("trace"));
    let done = Command::new("strace")
        .args(["--follow-forks", "--decode-fds=path", "--string-limit=40", "--trace=fdatasync,write", "--output"])
        .arg(&trace)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_commits_under_strace", "--nocapture"])
        .env(DIR, &store)
        .stdout(Stdio::null())
        .status()
        .expect("strace is installed by `cargo xtask setup`");
    assert!(done.success());

    let needed = BTreeSet::from([store.join("sled/db"), store.join("witness")].map(|path| path.display().to_string()));
    let (mut synced, mut told) = (Synced::default(), 0);
    for line in fs::read_to_string(&trace).unwrap().lines() {
        if line.contains("\"commit ") {
            synced.done.clear();
        } else if line.contains("\"told ") {
            let missing: Vec<_> = needed.difference(&synced.done).collect();
            assert!(missing.is_empty(), "told before {missing:?} was synced: {line}");
            told += 1;
        } else {
            synced.read(line);
        }
    }
    assert_eq!(told, COMMITS);
}

/// The files whose `fdatasync` has returned well.
#[derive(Default)]
struct Synced {
    done: BTreeSet<String>,
    /// The file that each thread is syncing.
    under_way: HashMap<String, String>,
}

impl Synced {
    /// Takes a line such as `71 fdatasync(9</a/db>) = 0`, or one of the two that a call of several threads is told in.
    fn read(&mut self, line: &str) {
        let Some((thread, call)) = line.split_once(char::is_whitespace) else { return };
        let call = call.trim_start();
        if let Some(begun) = call.strip_prefix("fdatasync(") {
            let (_, file) = begun.split_once('<').unwrap();
            let (file, end) = file.split_once('>').unwrap();
            self.under_way.insert(thread.to_owned(), file.to_owned());
            self.end(thread, end);
        } else if let Some(end) = call.strip_prefix("<... fdatasync resumed>") {
            self.end(thread, end);
        }
    }

    fn end(&mut self, thread: &str, end: &str) {
        if end.trim_end().ends_with("= 0") {
            self.done.extend(self.under_way.remove(thread));
        }
    }
}
