//! How operations look to people.

use muster_protocol::model::operation::{OperationInfo, OperationPhase};
use muster_protocol::{Name, Timestamp};

use crate::cli::sheet::{Describe, Sheet};
use crate::cli::table::{Cell, Row, Tone, age, duration, joined};

impl Row for OperationInfo {
    const HEADER: &'static [&'static str] = &["ID", "KIND", "CLUSTER", "SERVICES", "PHASE", "STEPS", "AGE", "MESSAGE"];

    fn cells(&self, now: Timestamp) -> Vec<Cell> {
        vec![
            self.id.into(),
            self.kind.into(),
            Cell::from(&self.cluster),
            services(&self.services).into(),
            phase(self.phase),
            format!("{}/{}", self.steps_done, self.steps_total).into(),
            age(self.created_at, now).into(),
            Cell::from(&self.message),
        ]
    }
}

fn services(services: &[Name]) -> String {
    if services.is_empty() { "-".to_owned() } else { joined(services) }
}

fn phase(phase: OperationPhase) -> Cell {
    let tone = match phase {
        OperationPhase::Running => Tone::Busy,
        OperationPhase::Succeeded => Tone::Good,
        OperationPhase::Failed => Tone::Bad,
        OperationPhase::Cancelled | OperationPhase::Superseded | OperationPhase::Unknown(_) => Tone::Plain,
    };
    Cell::toned(phase, tone)
}

impl Describe for OperationInfo {
    fn describe(&self, sheet: &mut Sheet) {
        sheet.field("Id", self.id);
        sheet.field("Kind", self.kind);
        sheet.field("Cluster", &self.cluster);
        if !self.services.is_empty() {
            sheet.field("Services", joined(&self.services));
        }
        sheet.field("Phase", phase(self.phase));
        sheet.field("Steps", format!("{} of {} done", self.steps_done, self.steps_total));
        if !self.message.is_empty() {
            sheet.field("Message", &self.message);
        }
        sheet.field("Requested by", &self.requested_by);
        sheet.moment("Created", self.created_at);
        match self.ended_at {
            Some(ended_at) => {
                sheet.moment("Ended", ended_at);
                sheet.field("Took", duration(ended_at.since(self.created_at)));
            }
            None => sheet.field("Deadline", self.deadline),
        }
        sheet.causes(&self.cause);
    }
}

#[cfg(test)]
mod tests {
    use muster_protocol::ErrorCode;
    use muster_protocol::model::operation::OperationKind;

    use crate::cli::samples;

    #[test]
    fn operations_look_so() {
        let mut operation = samples::operation();
        let mut of_services = operation.clone();
        of_services.kind = OperationKind::ServiceCreate;
        of_services.services = vec!["web-db".parse().unwrap(), "web".parse().unwrap()];
        insta::assert_snapshot!("list", samples::table(&[operation.clone(), of_services]));
        operation.cause = Some(samples::cause(ErrorCode::Preparation));
        insta::assert_snapshot!("info", samples::sheet(&operation));
        insta::assert_json_snapshot!("json", operation);
    }
}
