//! How clusters and plans look to people.

use muster_protocol::Timestamp;
use muster_protocol::model::cluster::{ClusterInfo, ClusterPhase, ClusterSummary, Leftover, MachineShape, Pool};
use muster_protocol::model::plan::Plan;

use super::steps;
use crate::cli::sheet::{Describe, Sheet};
use crate::cli::table::{Cell, Row, Tone, age, joined, or_dash};

impl Row for ClusterSummary {
    const HEADER: &'static [&'static str] =
        &["NAME", "ORCHESTRATOR", "INFRASTRUCTURE", "PHASE", "CONTROL-PLANES", "WORKERS", "SERVICES", "AGE"];

    fn cells(&self, now: Timestamp) -> Vec<Cell> {
        vec![
            Cell::from(&self.name),
            self.orchestrator.into(),
            self.infrastructure.into(),
            phase(self.phase),
            self.control_planes.into(),
            self.workers.into(),
            self.services.into(),
            age(self.created_at, now).into(),
        ]
    }
}

fn phase(phase: ClusterPhase) -> Cell {
    let tone = match phase {
        ClusterPhase::Ready => Tone::Good,
        ClusterPhase::Creating | ClusterPhase::Updating | ClusterPhase::Deleting => Tone::Busy,
        ClusterPhase::Degraded | ClusterPhase::Released => Tone::Bad,
        ClusterPhase::Deleted | ClusterPhase::Unknown(_) => Tone::Plain,
    };
    Cell::toned(phase, tone)
}

impl Describe for ClusterInfo {
    fn describe(&self, sheet: &mut Sheet) {
        let Self { summary, spec, .. } = self;
        sheet.field("Name", &summary.name);
        sheet.field("Id", summary.id);
        sheet.field("Orchestrator", summary.orchestrator);
        sheet.maybe("Version", self.version.as_ref().or(spec.version.as_ref()));
        sheet.field("Infrastructure", summary.infrastructure);
        sheet.maybe("Account", spec.account.as_ref());
        sheet.field("Phase", phase(summary.phase));
        sheet.moment("Since", self.phase_since);
        sheet.field("Control planes", format!("{} ready", summary.control_planes));
        sheet.field("Workers", format!("{} ready", summary.workers));
        sheet.maybe("Machine cpu", spec.machine.cpu);
        sheet.maybe("Machine memory", spec.machine.memory);
        sheet.maybe("Machine disk", spec.machine.disk);
        sheet.maybe("Machine image", spec.machine.image.as_ref());
        sheet.field("Services", summary.services);
        sheet.pairs("Labels", &spec.labels);
        sheet.pairs("Options", &spec.options);
        sheet.field("Generation", self.generation);
        sheet.moment("Created", summary.created_at);
        if let Some(observed_at) = self.observed_at {
            sheet.moment("Observed", observed_at);
        }
        if self.recipe_offered {
            sheet.field("Recipe", "a newer one is there; adopt it with `muster cluster upgrade`");
        }
        sheet.lines("Endpoints", &self.endpoints);
        sheet.causes(&self.causes);
        sheet.lines("Operations", &self.operations);
        sheet.rows("Pools", &spec.pools);
        sheet.rows("Steps", &steps::lines(&self.steps));
        sheet.rows("Leftovers", &self.leftovers);
    }
}

impl Describe for Plan {
    fn describe(&self, sheet: &mut Sheet) {
        if self.steps.is_empty() {
            sheet.field("Plan", format!("nothing to do for {}", self.cluster));
            return;
        }
        sheet.table(&steps::lines(&self.steps));
        sheet.causes(self.steps.iter().filter_map(|step| step.cause.as_ref()));
    }
}

impl Row for Pool {
    const HEADER: &'static [&'static str] = &["NAME", "ROLE", "MACHINES", "CPU", "MEMORY", "DISK", "IMAGE", "OPTIONS"];

    fn cells(&self, _now: Timestamp) -> Vec<Cell> {
        let MachineShape { cpu, memory, disk, image } = &self.shape;
        let options: Vec<String> = self.options.iter().map(|(name, value)| format!("{name}={value}")).collect();
        vec![
            Cell::from(&self.name),
            self.role.into(),
            self.count.into(),
            or_dash(*cpu).into(),
            or_dash(*memory).into(),
            or_dash(*disk).into(),
            or_dash(image.as_ref()).into(),
            joined(&options).into(),
        ]
    }
}

impl Row for Leftover {
    const HEADER: &'static [&'static str] = &["KEY", "PROVIDER-ID", "CAUSE"];

    fn cells(&self, _now: Timestamp) -> Vec<Cell> {
        vec![Cell::from(&self.key), or_dash(self.provider_id.as_ref()).into(), or_dash(self.cause.as_ref()).into()]
    }
}

#[cfg(test)]
mod tests {
    use crate::cli::samples;

    #[test]
    fn clusters_look_so() {
        insta::assert_snapshot!("list", samples::table(&[samples::cluster_summary()]));
        insta::assert_snapshot!("info", samples::sheet(&samples::cluster_info()));
        insta::assert_json_snapshot!("json", samples::cluster_info());
    }

    #[test]
    fn plans_look_so() {
        insta::assert_snapshot!("plan", samples::sheet(&samples::plan()));
        insta::assert_snapshot!("plan_empty", samples::sheet(&samples::empty_plan()));
    }
}
