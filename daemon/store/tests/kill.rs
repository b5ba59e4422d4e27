//! kill -9, for real: a child process commits until it is killed; nothing that it was told is stored may be missing.
#![allow(clippy::unwrap_used)] // a test file; clippy allows it only within test functions

mod common;

use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
    time::Duration,
};

use common::{Note, all, open, put, tempdir};
use muster_store::{Batch, OpenReport, Repair};

const ROUNDS: usize = 25;
const DIR: &str = "MUSTER_STORE_KILL_TEST_DIR";
const START: &str = "MUSTER_STORE_KILL_TEST_START";

const OPENS: &str = "MUSTER_STORE_KILL_TEST_OPENS";

/// The child's part of the second test; does nothing when run as a test.
#[tokio::test]
async fn child_that_opens_until_killed() {
    let Ok(dir) = std::env::var(OPENS) else { return };
    loop {
        std::io::stdout().write_all(b"opening\n").unwrap();
        let (store, report) = open(dir.as_ref()).await;
        assert!(at_most_an_unfinished_snapshot(&report), "{report:?}");
        store.close().await;
    }
}

/// What a kill during an open may leave, and what costs nothing to remove.
fn at_most_an_unfinished_snapshot(report: &OpenReport) -> bool {
    report.kept.is_none() && report.repairs.iter().all(|repair| *repair == Repair::RemovedUnfinishedSnapshot)
}

#[test]
fn no_record_is_lost_by_kill_9_while_the_store_is_being_opened_or_created() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let dir = tempdir();
    let path = dir.path().join("store");
    let mut stored = 0;
    for round in 0..120_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_opens_until_killed", "--nocapture"])
            .env(OPENS, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        lines.find(|line| line.as_ref().unwrap().contains("opening")).unwrap().unwrap();
        // Another moment of the open each round.
        std::thread::park_timeout(Duration::from_micros(round % 60 * 150));
        child.kill().unwrap();
        child.wait().unwrap();
        runtime.block_on(async {
            let (store, report) = open(&path).await;
            assert!(at_most_an_unfinished_snapshot(&report), "round {round}: {report:?}");
            assert_eq!(report.records, stored, "round {round}");
            // The first rounds are about the creation of a store.
            if round >= 40 {
                put(&store, &[Note::numbered(round as usize)]).await;
                stored += 1;
            }
            store.close().await;
        });
        if round < 39 {
            std::fs::remove_dir_all(&path).unwrap();
        }
    }
}

/// The child's part; does nothing when run as a test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_that_commits_until_killed() {
    let (Ok(dir), Ok(start)) = (std::env::var(DIR), std::env::var(START)) else { return };
    let (store, report) = open(dir.as_ref()).await;
    assert_eq!(report.repairs, [], "a kill needs no repair");
    let start: usize = start.parse().unwrap();
    let mut writers = Vec::new();
    for writer in 0..4 {
        let store = store.clone();
        writers.push(tokio::spawn(async move {
            for n in (start + writer..).step_by(4) {
                let mut batch = Batch::new();
                let note = Note::numbered(n);
                batch.put(&note).unwrap().append_event(&note).unwrap().append_audit(&note).unwrap();
                let event = store.commit(batch).await.unwrap().events.start;
                // One write a line: the parent sees whole lines or none.
                std::io::stdout().write_all(format!("acknowledged {n} {event}\n").as_bytes()).unwrap();
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
}

#[test]
fn no_acknowledged_commit_is_lost_by_kill_9() {
    let dir = tempdir();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut acknowledged = Vec::new();
    let mut start = 0;
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_commits_until_killed", "--nocapture"])
            .env(DIR, dir.path())
            .env(START, start.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut remaining = 5 + round * 7;
        for line in lines {
            let line = line.unwrap();
            // The harness's own words may stand before the first acknowledgement of a line.
            let Some((_, numbers)) = line.split_once("acknowledged ") else { continue };
            let (n, event) = numbers.split_once(' ').unwrap();
            acknowledged.push((n.parse::<usize>().unwrap(), event.parse::<u64>().unwrap()));
            remaining -= 1;
            if remaining == 0 {
                child.kill().unwrap();
                // What was already in the pipe was acknowledged as well: read on to its end.
                remaining = usize::MAX;
            }
        }
        child.wait().unwrap();
        assert!(remaining > usize::MAX / 2, "round {round}: the child ended by itself");
        start = acknowledged.iter().map(|(n, _)| n + 1).max().unwrap() + 4;

        runtime.block_on(async {
            let (store, report) = open(dir.path()).await;
            assert_eq!(report.repairs, [], "round {round}");
            let stored = all(&store).await;
            for (n, event) in &acknowledged {
                let note = Note::numbered(*n);
                assert!(stored.contains(&note), "round {round}: acknowledged note {n} is lost");
                let events = store.read_events(event - 1, 1).await.unwrap();
                assert_eq!(events[0].decode::<Note>().unwrap(), note, "round {round}: event {event}");
            }
            let numbers = store.event_numbers().await.unwrap();
            assert_eq!(
                numbers.end - numbers.start,
                stored.len() as u64,
                "round {round}: record and event are one step"
            );
            let trail = store.verify_audit().await.unwrap();
            assert_eq!(
                (trail.intact, trail.broken),
                (stored.len() as u64, None),
                "round {round}: record and audit record are one step, and the chain is whole"
            );
            tokio::time::timeout(Duration::from_secs(10), store.close()).await.unwrap();
        });
    }
    assert!(acknowledged.len() > ROUNDS * 10);
}
