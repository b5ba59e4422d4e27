//! The page `docs/reference/conformance.md`: every case, and how it ended on each orchestrator in the run that was last
//! written down.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use muster_client::protocol::model::cluster::Orchestrator;

use crate::cases;
use crate::gaps::GAPS;
use crate::run::Ended;
use crate::verdict::Verdict;

/// The columns.
const ORCHESTRATORS: [Orchestrator; 3] = [Orchestrator::Sim, Orchestrator::Swarm, Orchestrator::Kubernetes];

const HEAD: &str = "\
# Conformance

<!-- Made by `cargo xtask conformance --orchestrator … --write-docs`; a test sees that the column of sim is current. -->

The same cases, over the public client library only, on every orchestrator. `passed`: it holds. `unsupported`: the field is
refused with code `unsupported` before anything is changed. `gap`: it does not hold yet; the reasons are below. `–`: the
simulated twin runs no programs, so nothing can be seen in its containers. An empty place was not run yet.

";

/// What is written in the page, by case and orchestrator.
type Places = BTreeMap<(String, String), String>;

/// Where it lies.
pub fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/conformance.md")
}

/// Writes one orchestrator's column; the others stay.
///
/// # Errors
/// If the page cannot be read or written.
pub fn write(orchestrator: Orchestrator, ended: &[Ended]) -> Result<()> {
    let path = path();
    let present = fs::read_to_string(&path).unwrap_or_default();
    fs::write(&path, with_column(&present, orchestrator, ended)).context("cannot write the page")
}

/// The page with this orchestrator's column as it is in a run.
pub fn with_column(present: &str, orchestrator: Orchestrator, ended: &[Ended]) -> String {
    let mut places = read(present);
    for end in ended {
        let word = match &end.verdict {
            Verdict::Passed => "passed".to_owned(),
            Verdict::Unsupported(field) => format!("unsupported: `{field}`"),
            Verdict::Gap(_) => "gap".to_owned(),
            Verdict::Failed(_) => "failed".to_owned(),
        };
        places.insert((end.name.to_owned(), orchestrator.to_string()), word);
    }
    page(&places)
}

fn read(page: &str) -> Places {
    let mut places = Places::new();
    for line in page.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [_about, case, columns @ ..] = cells.as_slice() else { continue };
        for (orchestrator, word) in ORCHESTRATORS.iter().zip(columns) {
            places.insert(((*case).to_owned(), orchestrator.to_string()), (*word).to_owned());
        }
    }
    places
}

fn page(places: &Places) -> String {
    let mut page = HEAD.to_owned();
    page.push_str("| about | case | sim | swarm | kubernetes |\n|---|---|---|---|---|\n");
    for case in cases::all() {
        page.push_str(&format!("| {} | {} |", case.about, case.name));
        for orchestrator in ORCHESTRATORS {
            let key = (case.name.to_owned(), orchestrator.to_string());
            let word = if case.is_for(orchestrator) { places.get(&key).map_or("", String::as_str) } else { "–" };
            page.push_str(&format!(" {word} |"));
        }
        page.push('\n');
    }
    if GAPS.is_empty() {
        return page;
    }
    page.push_str("\n## Gaps\n\n| case | on | why |\n|---|---|---|\n");
    for gap in GAPS {
        let on: Vec<String> = gap.on.iter().map(ToString::to_string).collect();
        page.push_str(&format!("| {} | {} | {} |\n", gap.case, on.join(", "), gap.reason));
    }
    page
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_run_changes_its_own_column_only() {
        let case = cases::all().into_iter().find(|case| case.is_for(Orchestrator::Sim)).unwrap();
        let end = |verdict| Ended { about: case.about, name: case.name, verdict, took: Duration::ZERO };
        let first = with_column("", Orchestrator::Sim, &[end(Verdict::Passed)]);
        let second = with_column(&first, Orchestrator::Swarm, &[end(Verdict::Unsupported("image".to_owned()))]);
        let line = second.lines().find(|line| line.contains(case.name)).unwrap();
        assert!(line.ends_with("| passed | unsupported: `image` |  |"), "{line}");
    }
}
