//! How hosts look to people.

use muster_protocol::Timestamp;
use muster_protocol::model::host::{HostInfo, HostPhase};

use crate::cli::sheet::{Describe, Sheet};
use crate::cli::table::{Cell, Row, Tone, age, or_dash};

impl Row for HostInfo {
    const HEADER: &'static [&'static str] =
        &["CLUSTER", "NAME", "ROLE", "PHASE", "ADDRESS", "VERSION", "CONTAINERS", "AGE", "ID"];

    fn cells(&self, now: Timestamp) -> Vec<Cell> {
        vec![
            Cell::from(&self.cluster),
            Cell::from(&self.name),
            self.role.into(),
            phase(self.phase),
            or_dash(self.address.as_ref()).into(),
            or_dash(self.version.as_ref()).into(),
            self.containers.into(),
            or_dash(self.created_at.map(|created_at| age(created_at, now))).into(),
            self.id.into(),
        ]
    }
}

fn phase(phase: HostPhase) -> Cell {
    let tone = match phase {
        HostPhase::Ready => Tone::Good,
        HostPhase::Creating | HostPhase::Preparing | HostPhase::Removing => Tone::Busy,
        HostPhase::NotReady | HostPhase::Missing => Tone::Bad,
        HostPhase::Unknown(_) => Tone::Plain,
    };
    Cell::toned(phase, tone)
}

impl Describe for HostInfo {
    fn describe(&self, sheet: &mut Sheet) {
        sheet.field("Name", &self.name);
        sheet.field("Id", self.id);
        sheet.field("Cluster", &self.cluster);
        sheet.field("Role", self.role);
        sheet.field("Phase", phase(self.phase));
        sheet.maybe("Address", self.address.as_ref());
        sheet.maybe("Provider id", self.provider_id.as_ref());
        sheet.maybe("Node id", self.node_id.as_ref());
        sheet.maybe("Version", self.version.as_ref());
        sheet.maybe("Cpu", self.cpu);
        sheet.maybe("Memory", self.memory);
        sheet.field("Containers", self.containers);
        sheet.pairs("Labels", &self.labels);
        if let Some(created_at) = self.created_at {
            sheet.moment("Created", created_at);
        }
        sheet.causes(&self.cause);
    }
}

#[cfg(test)]
mod tests {
    use crate::cli::samples;

    #[test]
    fn hosts_look_so() {
        insta::assert_snapshot!("list", samples::table(&[samples::host()]));
        insta::assert_snapshot!("info", samples::sheet(&samples::host()));
        insta::assert_json_snapshot!("json", samples::host());
    }
}
