//! How a case ended, and how many ended how.

use std::fmt;

use anyhow::{Error, Result};
use muster_client::ClientError;
use muster_client::protocol::ErrorCode;
use muster_client::protocol::model::cluster::{Infrastructure, Orchestrator};

use crate::gaps;

/// How a case ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It holds.
    Passed,
    /// The orchestrator refuses this field with code `unsupported`.
    Unsupported(String),
    /// It does not hold, and that is known.
    Gap(&'static str),
    /// It does not hold.
    Failed(String),
}

impl Verdict {
    /// Judges what came of a case.
    pub fn of(name: &str, orchestrator: Orchestrator, infrastructure: Infrastructure, ended: &Result<()>) -> Self {
        let gap = gaps::reason(name, orchestrator, infrastructure);
        match (ended, gap) {
            (Ok(()), None) => Self::Passed,
            (Ok(()), Some(_)) => Self::Failed("it holds now: take it from the list of gaps".to_owned()),
            (Err(_), Some(reason)) => Self::Gap(reason),
            (Err(error), None) => match refused_field(error) {
                Some(field) => Self::Unsupported(field),
                None => Self::Failed(format!("{error:#}")),
            },
        }
    }
}

/// The field that was refused with code `unsupported`, if that is what happened.
fn refused_field(error: &Error) -> Option<String> {
    let client = error.chain().find_map(|cause| cause.downcast_ref::<ClientError>())?;
    let ClientError::Remote(refusal) = client else { return None };
    if refusal.code != ErrorCode::Unsupported {
        return None;
    }
    // Without the field's name it is no answer that helps.
    refusal.details.get("field").cloned()
}

/// How many ended how.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// In all.
    pub cases: usize,
    /// That hold.
    pub passed: usize,
    /// That were refused by field.
    pub unsupported: usize,
    /// That are known not to hold.
    pub gaps: usize,
    /// That do not hold.
    pub failed: usize,
}

impl Totals {
    /// Counts one more.
    pub fn count(&mut self, verdict: &Verdict) {
        self.cases += 1;
        match verdict {
            Verdict::Passed => self.passed += 1,
            Verdict::Unsupported(_) => self.unsupported += 1,
            Verdict::Gap(_) => self.gaps += 1,
            Verdict::Failed(_) => self.failed += 1,
        }
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cases, passed, unsupported, gaps, failed } = self;
        write!(f, "{cases} cases: {passed} passed, {unsupported} unsupported, ")?;
        if *gaps > 0 {
            write!(f, "{gaps} known gaps, ")?;
        }
        write!(f, "{failed} failed")
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;
    use muster_client::protocol::Error as Refusal;

    use super::*;

    fn judged(error: Error) -> Verdict {
        Verdict::of("a case that is no gap", Orchestrator::Sim, Infrastructure::Sim, &Err(error))
    }

    #[test]
    fn a_refusal_that_names_its_field_is_no_failure() {
        let refusal = ClientError::from(Refusal::unsupported("health.probe.http", "a swarm"));
        let ended: Result<()> = Err(refusal).context("cannot create it");
        assert_eq!(judged(ended.unwrap_err()), Verdict::Unsupported("health.probe.http".to_owned()));
    }

    #[test]
    fn any_other_refusal_is_one() {
        let without_field = ClientError::from(Refusal::new(ErrorCode::Unsupported, "no"));
        let of_another_code = ClientError::from(Refusal::invalid("image", "no"));
        for error in [without_field, of_another_code] {
            assert!(matches!(judged(error.into()), Verdict::Failed(_)));
        }
    }
}
