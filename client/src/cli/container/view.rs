//! How containers look to people.

use muster_protocol::Timestamp;
use muster_protocol::model::container::{ContainerInfo, ContainerPhase};

use crate::cli::sheet::{Describe, Sheet};
use crate::cli::table::{Cell, Row, Tone, age, or_dash};

impl Row for ContainerInfo {
    const HEADER: &'static [&'static str] = &["CLUSTER", "SERVICE", "NAME", "PHASE", "HEALTHY", "HOST", "SINCE", "ID"];

    fn cells(&self, now: Timestamp) -> Vec<Cell> {
        vec![
            Cell::from(&self.cluster),
            Cell::from(&self.service),
            Cell::from(&self.name),
            phase(self.phase),
            or_dash(self.healthy.map(yes_or_no)).into(),
            or_dash(self.machine.as_ref()).into(),
            or_dash(self.since.map(|since| age(since, now))).into(),
            Cell::from(&self.id),
        ]
    }
}

fn phase(phase: ContainerPhase) -> Cell {
    let tone = match phase {
        ContainerPhase::Running | ContainerPhase::Complete => Tone::Good,
        ContainerPhase::Pending | ContainerPhase::Starting => Tone::Busy,
        ContainerPhase::Failed => Tone::Bad,
        ContainerPhase::Stopped | ContainerPhase::Unknown(_) => Tone::Plain,
    };
    Cell::toned(phase, tone)
}

fn yes_or_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

impl Describe for ContainerInfo {
    fn describe(&self, sheet: &mut Sheet) {
        sheet.field("Name", &self.name);
        sheet.field("Id", &self.id);
        sheet.field("Cluster", &self.cluster);
        sheet.field("Service", &self.service);
        sheet.maybe("Host", self.machine.as_ref());
        sheet.field("Phase", phase(self.phase));
        sheet.maybe("Healthy", self.healthy.map(yes_or_no));
        sheet.maybe("Address", self.address.as_ref());
        sheet.field("Image", &self.image);
        if let Some(since) = self.since {
            sheet.moment("Since", since);
        }
        sheet.maybe("Exit code", self.exit_code);
        sheet.maybe("Message", self.message.as_ref());
    }
}

#[cfg(test)]
mod tests {
    use crate::cli::samples;

    #[test]
    fn containers_look_so() {
        insta::assert_snapshot!("list", samples::table(&[samples::container()]));
        insta::assert_snapshot!("info", samples::sheet(&samples::container()));
        insta::assert_json_snapshot!("json", samples::container());
    }
}
