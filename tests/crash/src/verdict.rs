//! What a run has shown.

/// What an undisturbed run passed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Count {
    /// Points.
    pub points: u64,
    /// Outside calls.
    pub calls: u64,
    /// Those of them that do more than to look.
    pub steps: u64,
    /// Writes.
    pub writes: u64,
}

/// What a run has shown; no list has anything in it if the run is as it should be.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// What was counted.
    pub count: Count,
    /// Things left of what should be gone.
    pub orphans: Vec<String>,
    /// Things made twice.
    pub duplicates: Vec<String>,
    /// Things of others touched, or a quorum broken.
    pub wrong_deletes: Vec<String>,
    /// Acknowledged requests that are not known any more.
    pub lost: Vec<String>,
    /// What did not come to the end that was asked for.
    pub stuck: Vec<String>,
    /// Whether the client had to ask past a refusal that had changed nothing.
    pub asked_again: bool,
    /// Whether somebody had to mend the reason of a refusal for good, and try again.
    pub helped: bool,
    /// Whether a deletion was cancelled when it had taken the majority already.
    pub beyond_return: bool,
    /// The points of the disturbed life.
    pub trace: Vec<String>,
}

impl Verdict {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.faults().next().is_none()
    }

    /// Everything that is wrong.
    pub fn faults(&self) -> impl Iterator<Item = &String> {
        let lists = [&self.orphans, &self.duplicates, &self.wrong_deletes, &self.lost, &self.stuck];
        lists.into_iter().flatten()
    }
}
