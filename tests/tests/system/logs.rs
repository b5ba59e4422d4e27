//! The daemon's log in its three forms.

use anyhow::{Context, Result, ensure};
use muster_tests::daemon::Daemon;
use serde_json::Value;

/// The log of a daemon that answered, was asked for something that is not there, and was told to end.
async fn log_in(format: &str) -> Result<String> {
    let configuration = format!("[log]\nformat = \"{format}\"\nlevel = \"info,musterd=debug\"\n");
    let mut daemon = Daemon::start(&configuration).await?;
    daemon.cli().run(&["cluster", "delete", "nothing"]).await?;
    daemon.stop()?;
    Ok(daemon.log())
}

#[tokio::test]
async fn every_line_for_machines_is_one_object_with_its_time_and_level() -> Result<()> {
    let log = log_in("json").await?;
    let lines: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).with_context(|| line.to_owned())).collect::<Result<_>>()?;
    for line in &lines {
        for field in ["timestamp", "level", "target", "message"] {
            assert!(line[field].is_string(), "no {field} in {line}");
        }
    }
    let refused = lines.iter().find(|line| line["code"] == "not-found").context("the refusal is not in the log")?;
    assert_eq!(refused["uid"], rustix::process::getuid().as_raw());
    Ok(())
}

#[tokio::test]
async fn lines_for_the_journal_have_no_time_and_no_colours_and_those_for_people_have_a_time() -> Result<()> {
    let (journal, text) = (log_in("journal").await?, log_in("text").await?);
    ensure!(!journal.is_empty() && !text.is_empty(), "nothing is logged");
    for line in journal.lines().chain(text.lines()) {
        assert!(!line.contains('\u{1b}'), "{line}");
    }
    let begins_with_a_year = |line: &str| line.starts_with("20");
    assert!(journal.lines().all(|line| !begins_with_a_year(line)), "{journal}");
    assert!(text.lines().all(begins_with_a_year), "{text}");
    Ok(())
}
