//! Counts over all test programs, from what they print.

use super::panics::Panics;

/// The sums so far.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Tests that passed.
    pub passed: usize,
    /// Tests that failed.
    pub failed: usize,
    /// Their names, as far as they were printed on a line of their own.
    pub failed_names: Vec<String>,
    /// Names of the tests that were not run.
    pub skipped: Vec<String>,
    /// Test programs that began and have not said how their tests ended. A test that runs its own program must keep what
    /// that one prints to itself.
    pub unfinished: usize,
    /// What failed tests said.
    pub panics: Panics,
}

impl Totals {
    /// Takes one line of output into account.
    pub fn read(&mut self, line: &str) {
        self.panics.read(line);
        if is_beginning(line) {
            self.unfinished += 1;
        } else if let Some(result) = line.strip_prefix("test result: ") {
            self.unfinished = self.unfinished.saturating_sub(1);
            self.passed += count(result, " passed").unwrap_or(0);
            self.failed += count(result, " failed").unwrap_or(0);
            return;
        }
        let Some((name, outcome)) = line.strip_prefix("test ").and_then(|rest| rest.rsplit_once(" ... ")) else {
            return;
        };
        // `ignored, reason` when the attribute has one.
        if outcome == "ignored" || outcome.starts_with("ignored, ") {
            self.skipped.push(name.to_owned());
        } else if outcome == "FAILED" {
            self.failed_names.push(name.to_owned());
        }
    }
}

/// Whether a test program begins here: `running 12 tests`.
fn is_beginning(line: &str) -> bool {
    let count = line.strip_prefix("running ").and_then(|rest| rest.split_once(" test"));
    count.is_some_and(|(count, end)| count.parse::<usize>().is_ok() && matches!(end, "" | "s"))
}

/// The number before `unit` in `ok. 12 passed; 0 failed; …`.
fn count(result: &str, unit: &str) -> Option<usize> {
    let part = result.split(';').find(|part| part.ends_with(unit))?;
    part.strip_suffix(unit)?.rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals_of(text: &str) -> Totals {
        let mut totals = Totals::default();
        text.lines().for_each(|line| totals.read(line));
        totals
    }

    #[test]
    fn results_of_several_programs_are_added_up() {
        let totals = totals_of(
            "running 3 tests\n\
             test a::one ... ok\n\
             test a::two ... FAILED\n\
             test a::three ... ok\n\
             test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\
             test result: ok. 40 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s\n",
        );
        let failed_names = vec!["a::two".into()];
        assert_eq!(totals, Totals { passed: 42, failed: 1, failed_names, ..Totals::default() });
    }

    #[test]
    fn ignored_tests_are_named_with_or_without_a_reason() {
        let totals = totals_of("test a ... ignored\ntest b ... ignored, needs a moon\ntest c ... ok\n");
        assert_eq!(totals.skipped, ["a", "b"]);
    }

    #[test]
    fn a_program_that_ends_without_a_result_is_unfinished() {
        let ended = "running 1 test\ntest a ... ok\ntest result: ok. 1 passed; 0 failed; finished in 0.01s\n";
        assert_eq!(totals_of(ended).unfinished, 0);
        assert_eq!(totals_of(&format!("running 2 tests\ntest a ... ok\n{ended}")).unfinished, 1);
        assert_eq!(totals_of("running late\nrunning 2 tests of patience\n").unfinished, 0);
    }

    #[test]
    fn what_a_test_prints_itself_is_not_counted() {
        let totals = totals_of("the test result: ok. 5 passed;\ntest of patience\n");
        assert_eq!(totals, Totals::default());
    }
}
