//! A test on real engines that fails is run once more by itself: they share a host with everything else that runs there.
//! It is named as flaky then. A test without them has no such excuse.

use std::path::Path;

use anyhow::Result;

use super::totals::Totals;
use crate::shell;

/// More failures than these are no accident of the host, and cost too much time.
const MOST: usize = 4;

/// The failed tests that have left word in `test_dir` that they stand on real engines; none if there are too many.
pub fn of_real_engines(test_dir: &Path, totals: &Totals) -> Result<Vec<String>> {
    let real = test_dir.join("real");
    let mut names = Vec::new();
    for name in &totals.failed_names {
        let function = name.rsplit("::").next().unwrap_or(name);
        if real.join(function).try_exists()? {
            names.push(name.clone());
        }
    }
    Ok(if names.len() > MOST { Vec::new() } else { names })
}

/// Those of the tests that pass when each is run by itself.
pub fn passing(names: Vec<String>, mut run: impl FnMut(&str) -> Result<Totals>) -> Result<Vec<String>> {
    let mut passed = Vec::new();
    for name in names {
        shell::say(format!("{name} failed; running it once more by itself"));
        let totals = run(&name)?;
        if totals.passed > 0 && totals.failed == 0 && totals.failed_names.is_empty() {
            passed.push(name);
        }
    }
    Ok(passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(names: &[&str]) -> Totals {
        let failed_names = names.iter().map(|&name| name.to_owned()).collect();
        Totals { failed: names.len(), failed_names, ..Totals::default() }
    }

    #[test]
    fn only_what_stands_on_real_engines_is_run_again() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("real")).unwrap();
        std::fs::write(folder.path().join("real/a_swarm_forms"), "").unwrap();
        let totals = failed(&["membership::a_swarm_forms", "plan::a_sum_is_right"]);
        assert_eq!(of_real_engines(folder.path(), &totals).unwrap(), ["membership::a_swarm_forms"]);
    }

    #[test]
    fn many_failures_are_no_accident() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("real")).unwrap();
        for name in ["a", "b", "c", "d", "e"] {
            std::fs::write(folder.path().join("real").join(name), "").unwrap();
        }
        assert!(of_real_engines(folder.path(), &failed(&["a", "b", "c", "d", "e"])).unwrap().is_empty());
    }

    #[test]
    fn a_test_that_fails_again_or_is_not_found_has_failed() {
        let run = |name: &str| {
            Ok(match name {
                "passes" => Totals { passed: 1, ..Totals::default() },
                "fails" => failed(&["fails"]),
                _ => Totals::default(),
            })
        };
        let names = ["passes", "fails", "is_not_there"].map(str::to_owned).to_vec();
        assert_eq!(passing(names, run).unwrap(), ["passes"]);
    }
}
