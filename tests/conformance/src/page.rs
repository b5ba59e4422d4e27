//! The page `docs/reference/conformance.md`: every case, and how it ended on each orchestrator in the run that was last
//! written down.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use muster_client::protocol::model::cluster::{Infrastructure, Orchestrator};

use crate::cases;
use crate::column::Column;
use crate::gaps::GAPS;
use crate::run::Ended;
use crate::verdict::Verdict;

const ORCHESTRATORS: [Column; 3] = [
    Column::Orchestrator(Orchestrator::Sim),
    Column::Orchestrator(Orchestrator::Swarm),
    Column::Orchestrator(Orchestrator::Kubernetes),
];
const INFRASTRUCTURES: [Column; 4] = [
    Column::Infrastructure(Infrastructure::Sim),
    Column::Infrastructure(Infrastructure::Local),
    Column::Infrastructure(Infrastructure::Ec2),
    Column::Infrastructure(Infrastructure::Hosts),
];

const HEAD: &str = "\
# Conformance

<!-- Made by `cargo xtask conformance … --write-docs`; a test sees that the column of sim is current. -->

The same cases, over the public client library only, on every orchestrator. `passed`: it holds. `unsupported`: the field is
refused with code `unsupported` before anything is changed. `gap`: it does not hold yet; the reasons are below. `–`: the
simulated twin runs no programs, so nothing can be seen in its containers. An empty place was not run yet.

";

const ON_INFRASTRUCTURES: &str = "
## At each infrastructure

The cases about machines, on the simulated twin, and on a Swarm at each infrastructure: machines of the local Docker Engine,
instances of an EC2 that moto plays, and hosts that were there before.

";

/// What is written in the page, by case and column.
type Cells = BTreeMap<(String, String), String>;

/// Where it lies.
pub fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/conformance.md")
}

/// Writes one column; the others stay.
///
/// # Errors
/// If the page cannot be read or written.
pub fn write(column: Column, ended: &[Ended]) -> Result<()> {
    let path = path();
    let present = fs::read_to_string(&path).unwrap_or_default();
    fs::write(&path, with_column(&present, column, ended)).context("cannot write the page")
}

/// The page with this column as it is in a run.
pub fn with_column(present: &str, column: Column, ended: &[Ended]) -> String {
    let mut places = read(present);
    for end in ended {
        let word = match &end.verdict {
            Verdict::Passed => "passed".to_owned(),
            Verdict::Unsupported(field) => format!("unsupported: `{field}`"),
            Verdict::Gap(_) => "gap".to_owned(),
            Verdict::Failed(_) => "failed".to_owned(),
        };
        places.insert((end.name.to_owned(), column.to_string()), word);
    }
    page(&places)
}

fn read(page: &str) -> Cells {
    let mut places = Cells::new();
    let mut heads: Vec<String> = Vec::new();
    for line in page.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [about, case, columns @ ..] = cells.as_slice() else { continue };
        if (*about, *case) == ("about", "case") {
            heads = columns.iter().map(|&head| head.to_owned()).collect();
            continue;
        }
        for (head, word) in heads.iter().zip(columns) {
            places.insert(((*case).to_owned(), head.clone()), (*word).to_owned());
        }
    }
    places
}

fn page(places: &Cells) -> String {
    let mut page = HEAD.to_owned();
    page.push_str(&table(places, &ORCHESTRATORS));
    page.push_str(ON_INFRASTRUCTURES);
    page.push_str(&table(places, &INFRASTRUCTURES));
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

fn table(places: &Cells, columns: &[Column]) -> String {
    let heads: Vec<String> = columns.iter().map(ToString::to_string).collect();
    let mut table = format!("| about | case | {} |\n|---|---|{}\n", heads.join(" | "), "---|".repeat(columns.len()));
    for case in cases::all().iter().filter(|case| columns.iter().any(|column| column.has(case))) {
        table.push_str(&format!("| {} | {} |", case.about, case.name));
        for (column, head) in columns.iter().zip(&heads) {
            let key = (case.name.to_owned(), head.clone());
            let word = if column.has(case) { places.get(&key).map_or("", String::as_str) } else { "–" };
            table.push_str(&format!(" {word} |"));
        }
        table.push('\n');
    }
    table
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_run_changes_its_own_column_only() {
        let case = cases::all().into_iter().find(|case| case.is_for(Orchestrator::Sim)).unwrap();
        let end = |verdict| Ended { about: case.about, name: case.name, verdict, took: Duration::ZERO };
        let first = with_column("", ORCHESTRATORS[0], &[end(Verdict::Passed)]);
        let second = with_column(&first, ORCHESTRATORS[1], &[end(Verdict::Unsupported("image".to_owned()))]);
        let line = second.lines().find(|line| line.contains(case.name)).unwrap();
        assert!(line.ends_with("| passed | unsupported: `image` |  |"), "{line}");
    }

    #[test]
    fn the_columns_of_infrastructures_are_a_table_of_their_own() {
        let case = cases::all().into_iter().find(|case| case.about == "machines").unwrap();
        let end = Ended { about: case.about, name: case.name, verdict: Verdict::Passed, took: Duration::ZERO };
        let page = with_column("", INFRASTRUCTURES[2], &[end]);
        assert_eq!(page, with_column(&page, INFRASTRUCTURES[3], &[]), "what was written stays");
        let lines: Vec<&str> = page.lines().filter(|line| line.contains(case.name)).collect();
        assert!(
            lines.len() == 2 && lines[0].ends_with("|  |  |  |") && lines[1].ends_with("|  |  | passed |  |"),
            "{lines:?}"
        );
    }
}
