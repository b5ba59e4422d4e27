//! A disk that somebody else fills in the very moment of a write, for real: a small file system of the test's own, which
//! needs root, and a child process as the daemon. The outcome of the write is told in seconds, nothing that was
//! acknowledged is lost, and the store opens as soon as there is room.
#![allow(clippy::unwrap_used)] // a test file; clippy allows it only within test functions

mod common;

use std::{
    fs,
    io::{self, Write},
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use common::{Note, all, batch, open, put, try_open};
use muster_store::{CommitError, CommitStep, OpenError, OpenOptions, Store};

const MIB: usize = 1 << 20;
const DISK: &str = "MUSTER_STORE_FULL_DISK_TEST";
/// Commits that the child makes before the disk is filled.
const BEFORE: usize = 30;

/// A file system in memory that is held by an open directory only, so that it goes with the test, however that ends.
struct SmallDisk(fs::File);

impl SmallDisk {
    fn new(mib: usize) -> SmallDisk {
        let place = tempfile::tempdir().unwrap();
        let run = |program: &str, arguments: &[&str]| {
            let done = Command::new(program).args(arguments).arg(place.path()).output().unwrap();
            assert!(done.status.success(), "{program}: {}", String::from_utf8_lossy(&done.stderr));
        };
        run("mount", &["-t", "tmpfs", "-o", &format!("size={mib}m,mode=700"), "muster-test"]);
        let held = fs::File::open(place.path());
        run("umount", &["--lazy"]);
        SmallDisk(held.unwrap())
    }

    /// For children as well, as long as this process lives.
    fn path(&self) -> PathBuf {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd()).into()
    }
}

/// Writes until nothing is free.
fn fill(disk: &Path) {
    let mut file = fs::File::options().append(true).create(true).open(disk.join("filler")).unwrap();
    let bytes = vec![7; MIB];
    let mut step = MIB;
    while step > 0 {
        match file.write_all(&bytes[..step]) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::StorageFull => step /= 2,
            Err(error) => panic!("{error}"),
        }
    }
}

/// A note of a size that makes the store's file grow, and sled keep values apart.
fn large(n: usize) -> Note {
    Note::new(format!("large-{n:05}"), "x".repeat(20_000))
}

/// The child's part; does nothing when run as a test.
#[tokio::test]
async fn child_whose_disk_is_filled_while_it_writes() {
    let Ok(disk) = std::env::var(DISK) else { return };
    let disk = PathBuf::from(disk);
    let store_dir = disk.join("store");
    let hook = move |step| {
        // sled has the group in memory and is about to write.
        if step == CommitStep::Flush && disk.join("fill now").exists() {
            fill(&disk);
        }
        Ok(())
    };
    let options = OpenOptions { fault_hook: Some(Arc::new(hook)), ..OpenOptions::default() };
    let (store, _) = Store::open(&store_dir, options).await.unwrap();
    for n in 0..BEFORE {
        put(&store, &[large(n)]).await;
    }
    fs::write(store_dir.with_file_name("fill now"), "").unwrap();
    let many: Vec<Note> = (1_000..1_200).map(large).collect();
    let refusal = store.commit(batch(&many)).await.unwrap_err();
    assert!(matches!(refusal, CommitError::MaybeApplied { .. }), "{refusal}");
    store.stopped().await;
    // As the daemon does; sled's threads may never end.
    std::process::exit(42);
}

#[test]
fn a_disk_that_is_filled_in_the_moment_of_a_write_ends_the_store_at_once_and_loses_nothing_acknowledged() {
    let disk = SmallDisk::new(64);
    let began = Instant::now();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_whose_disk_is_filled_while_it_writes", "--nocapture"])
        .env(DISK, disk.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if began.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
            panic!("who waits for the commit is never answered");
        }
        std::thread::park_timeout(Duration::from_millis(50));
    };
    assert_eq!(status.code(), Some(42));

    let store_dir = disk.path().join("store");
    let is_there = |stored: &[Note]| (0..BEFORE).all(|n| stored.contains(&large(n)));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let refused = try_open(&store_dir).await.err();
        let is_full = |error: &io::Error| error.kind() == io::ErrorKind::StorageFull;
        assert!(matches!(&refused, Some(OpenError::Io { source, .. }) if is_full(source)), "{refused:?}");

        fs::remove_file(disk.path().join("filler")).unwrap();
        let (store, _) = open(&store_dir).await;
        assert!(is_there(&all(&store).await));
        put(&store, &[large(BEFORE)]).await;
        store.close().await;
        let (store, report) = open(&store_dir).await;
        assert_eq!(report.repairs, []);
        let stored = all(&store).await;
        assert!(is_there(&stored) && stored.contains(&large(BEFORE)));
    });
}
