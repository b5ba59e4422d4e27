//! How the audit trail looks to people.

use muster_protocol::Timestamp;
use muster_protocol::model::audit::{AuditRecord, AuditVerification};

use crate::cli::table::{Cell, Row, Tone, or_dash};

impl Row for AuditRecord {
    const HEADER: &'static [&'static str] = &["NUMBER", "TIME", "WHO", "FROM", "REQUEST", "SUBJECT", "OUTCOME"];

    fn cells(&self, _now: Timestamp) -> Vec<Cell> {
        vec![
            self.number.into(),
            self.at.into(),
            self.who.to_string().into(),
            origin(self).into(),
            Cell::from(&self.request),
            subject(self).into(),
            match self.refusal {
                None => Cell::toned("ok", Tone::Good),
                Some(code) => Cell::toned(code, Tone::Bad),
            },
        ]
    }
}

/// The address and who spoke for it, or the process on this host.
fn origin(record: &AuditRecord) -> String {
    let process = or_dash(record.pid.map(|pid| format!("pid {pid}")));
    let address = record.address.as_ref().unwrap_or(&process);
    match &record.through {
        Some(through) => format!("{address} through {through}"),
        None => format!("{address} of uid {}", record.uid),
    }
}

fn subject(record: &AuditRecord) -> String {
    match (&record.cluster, &record.name) {
        (Some(cluster), Some(name)) => format!("{} {cluster}/{name}", record.noun),
        (Some(name), None) => format!("{} {name}", record.noun),
        (None, Some(name)) => format!("{} {name}", record.noun),
        (None, None) => record.noun.clone(),
    }
}

/// What a check found, in words.
pub fn verdict(verification: &AuditVerification) -> String {
    let AuditVerification { intact, pruned, last, hash, broken } = verification;
    let mut lines = vec![match intact {
        1 => "1 record is intact".to_owned(),
        _ => format!("{intact} records are intact"),
    }];
    if *intact > 0 {
        lines.push(format!("the last is number {last} with the hash {hash}"));
    }
    if *pruned > 0 {
        lines.push(format!("those up to number {pruned} are not kept any more"));
    }
    if let Some(broken) = broken {
        lines.push(format!("record {} is not as it was written: {}", broken.number, broken.message));
        lines.push("what comes after it cannot be trusted; compare with a backup of the store".to_owned());
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::samples;

    #[test]
    fn audit_records_look_so() {
        let remote = samples::audit_record();
        let mut local = remote.clone();
        local.through = None;
        local.address = None;
        local.name = None;
        local.refusal = None;
        insta::assert_snapshot!("list", samples::table(&[remote.clone(), local]));
        insta::assert_json_snapshot!("json", remote);
    }

    #[test]
    fn a_broken_chain_names_the_first_record_that_is_not_as_it_was() {
        let mut verification = samples::audit_verification();
        insta::assert_snapshot!("broken", verdict(&verification));
        verification.broken = None;
        verification.pruned = 0;
        insta::assert_snapshot!("intact", verdict(&verification));
    }
}
