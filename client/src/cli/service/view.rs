//! How services look to people.

use std::time::Duration;

use muster_protocol::Timestamp;
use muster_protocol::model::service::{
    Endpoint, Exposure, FileMode, Health, MountKind, Port, Probe, ServiceInfo, ServicePhase, ServiceSpec, UpdateOrder,
    UpdatePolicy,
};

use crate::cli::sheet::{Describe, Sheet};
use crate::cli::table::{Cell, Row, Tone, age, duration, joined};

impl Row for ServiceInfo {
    const HEADER: &'static [&'static str] = &["CLUSTER", "NAME", "MODE", "PHASE", "READY", "IMAGE", "ENDPOINTS", "AGE"];

    fn cells(&self, now: Timestamp) -> Vec<Cell> {
        vec![
            Cell::from(&self.cluster),
            Cell::from(&self.spec.name),
            self.spec.mode.into(),
            phase(self.phase),
            format!("{}/{}", self.ready, self.wanted).into(),
            Cell::from(&self.spec.image),
            endpoints(&self.endpoints).into(),
            age(self.created_at, now).into(),
        ]
    }
}

fn phase(phase: ServicePhase) -> Cell {
    let tone = match phase {
        ServicePhase::Running | ServicePhase::Complete => Tone::Good,
        ServicePhase::Deploying | ServicePhase::Updating | ServicePhase::Removing => Tone::Busy,
        ServicePhase::Degraded => Tone::Bad,
        ServicePhase::Unknown(_) => Tone::Plain,
    };
    Cell::toned(phase, tone)
}

/// A list has room for one address a port: every machine answers, so the first is as good as the others.
fn endpoints(endpoints: &[Endpoint]) -> String {
    let mut shown: Vec<&Endpoint> = Vec::new();
    for endpoint in endpoints {
        let is_new = |other: &&Endpoint| other.published != endpoint.published || other.protocol != endpoint.protocol;
        if shown.iter().all(is_new) {
            shown.push(endpoint);
        }
    }
    joined(shown.into_iter().map(address))
}

fn address(endpoint: &Endpoint) -> String {
    format!("{}:{}", endpoint.address, endpoint.published)
}

impl Describe for ServiceInfo {
    fn describe(&self, sheet: &mut Sheet) {
        let spec = &self.spec;
        sheet.field("Name", &spec.name);
        sheet.field("Id", self.id);
        sheet.field("Cluster", &self.cluster);
        sheet.maybe("Template", self.template.as_ref());
        sheet.field("Phase", phase(self.phase));
        sheet.field("Mode", spec.mode);
        sheet.field("Ready", format!("{} of {}", self.ready, self.wanted));
        sheet.field("Image", &spec.image);
        sheet.maybe("Digest", self.digest.as_ref());
        list(sheet, "Command", &spec.command);
        list(sheet, "Args", &spec.args);
        sheet.pairs("Env", &spec.env);
        sheet.maybe("Cpu limit", spec.resources.cpu_limit);
        sheet.maybe("Memory limit", spec.resources.memory_limit);
        sheet.maybe("Cpu reservation", spec.resources.cpu_reservation);
        sheet.maybe("Memory reservation", spec.resources.memory_reservation);
        list(sheet, "Constraints", &spec.constraints);
        sheet.maybe("User", spec.user.as_ref());
        sheet.maybe("Init", spec.init.then_some("yes"));
        sheet.field("Stop", stop(spec));
        sheet.maybe("Health check", spec.health.as_ref().map(health));
        sheet.maybe("Image's own health check", self.image_health.as_ref());
        sheet.field("Update", update(&spec.update));
        sheet.pairs("Labels", &spec.labels);
        sheet.field("Generation", self.generation);
        sheet.moment("Created", self.created_at);
        sheet.moment("Updated", self.updated_at);
        sheet.lines("Ports", spec.ports.iter().map(port));
        sheet.lines(
            "Endpoints",
            self.endpoints
                .iter()
                .map(|endpoint| format!("{}/{} to port {}", address(endpoint), endpoint.protocol, endpoint.port)),
        );
        let secrets = spec.secrets.iter();
        sheet.lines(
            "Secrets",
            secrets.map(|one| format!("{} at {}{}", one.name, one.target(), rights(one.mode, one.uid, one.gid))),
        );
        let files = spec.files.iter();
        sheet.lines("Files", files.map(|one| format!("{}{}", one.path, rights(one.mode, one.uid, one.gid))));
        sheet.lines(
            "Mounts",
            spec.mounts.iter().map(|mount| {
                let kind = match mount.kind {
                    MountKind::Volume => "volume",
                    MountKind::Bind => "bind",
                    MountKind::Tmpfs => "tmpfs",
                };
                let source = mount.source.as_ref().map(|source| format!(" {source}")).unwrap_or_default();
                let mode = if mount.read_only { ", read-only" } else { "" };
                format!("{kind}{source} at {}{mode}", mount.target)
            }),
        );
        sheet.causes(&self.cause);
    }
}

fn list<T: ToString>(sheet: &mut Sheet, name: &str, words: &[T]) {
    if !words.is_empty() {
        let words: Vec<String> = words.iter().map(|word| word.to_string()).collect();
        sheet.field(name, words.join(" "));
    }
}

/// Who may read a file, unless it is root's and everybody may, as usual.
fn rights(mode: FileMode, uid: u32, gid: u32) -> String {
    if (mode, uid, gid) == (FileMode::default(), 0, 0) {
        return String::new();
    }
    format!(", mode {mode}, of {uid}:{gid}")
}

/// How copies are asked to end.
fn stop(spec: &ServiceSpec) -> String {
    let signal = spec.stop_signal.as_deref().unwrap_or("the image's signal");
    format!("{signal}, killed {} later", time(spec.stop_grace_ms))
}

fn health(health: &Health) -> String {
    let Health::Check(check) = health else { return Health::NONE.to_owned() };
    let probe = match &check.probe {
        Probe::Command(words) => format!("`{}`", words.join(" ")),
        Probe::Http { port, path } => format!("HTTP at port {port}, {path}"),
        Probe::Tcp(port) => format!("TCP at port {port}"),
    };
    format!(
        "{probe} every {}, within {}; unhealthy after {} failures in a row, from {} after the start",
        time(check.interval_ms),
        time(check.timeout_ms),
        check.retries,
        time(check.start_period_ms)
    )
}

fn update(policy: &UpdatePolicy) -> String {
    let group = match policy.parallelism {
        0 => "all copies at once".to_owned(),
        1 => "one copy at a time".to_owned(),
        copies => format!("{copies} copies at a time"),
    };
    let first = match policy.order {
        UpdateOrder::StopFirst => "the old one stops first",
        UpdateOrder::StartFirst => "the new one starts first",
    };
    format!("{group}, {} apart, {first}, well within {}", time(policy.delay_ms), time(policy.deadline_ms))
}

fn time(milliseconds: u64) -> String {
    if milliseconds.is_multiple_of(1000) {
        duration(Duration::from_millis(milliseconds))
    } else {
        format!("{milliseconds}ms")
    }
}

fn port(port: &Port) -> String {
    let exposure = match port.exposure {
        Exposure::Cluster => "within the cluster",
        Exposure::Host => "on the machines with copies",
        Exposure::Ingress => "on every machine",
    };
    let published = port.published.map(|published| format!(" as {published}")).unwrap_or_default();
    format!("{}/{} {exposure}{published}", port.port, port.protocol)
}

#[cfg(test)]
mod tests {
    use crate::cli::samples;

    #[test]
    fn services_look_so() {
        insta::assert_snapshot!("list", samples::table(&[samples::service()]));
        insta::assert_snapshot!("info", samples::sheet(&samples::service()));
        insta::assert_json_snapshot!("json", samples::service());
    }
}
