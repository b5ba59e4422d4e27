//! What a cluster was asked to be, in the owner marks of its resources: with the store lost, there is no other place that
//! says it.
//!
//! The spec is compact JSON without what is left out of it, in pieces that fit into a tag of any provider:
//! [`mark::SPEC`], then the same with `.2`, `.3` and so on. It never has a secret: a spec can have none. Numbers of machines and
//! versions are those of the time at which the resource was made.

use std::collections::BTreeMap;

use muster_protocol::model::cluster::{ClusterSpec, Pool};
use serde_json::Value;

use crate::context::mark;

/// The longest value of a tag: EC2 takes 256 characters.
const PIECE: usize = 250;
/// The most pieces: EC2 takes 50 tags a resource, and others need some.
const PIECES: usize = 16;

/// The marks of this spec, by name. Of a spec that does not fit, the less important parts are left out.
pub fn write(spec: &ClusterSpec) -> Vec<(String, String)> {
    let pieces = variants(spec).into_iter().map(|variant| pieces(&compact(&variant)));
    pieces.into_iter().find(|pieces| pieces.len() <= PIECES).map(named).unwrap_or_default()
}

/// The spec that marks say; `value` gives the mark of a name. None if they say none, or one that this release cannot read.
pub fn read<'a>(value: impl Fn(&str) -> Option<&'a str>) -> Option<ClusterSpec> {
    let pieces: String = (1..=PIECES).map_while(|number| value(&name(number))).collect();
    serde_json::from_str(&pieces).ok()
}

fn named(pieces: Vec<String>) -> Vec<(String, String)> {
    (1..).map(name).zip(pieces).collect()
}

fn name(number: usize) -> String {
    if number == 1 { mark::SPEC.to_owned() } else { format!("{}.{number}", mark::SPEC) }
}

/// The spec, and the same with less and less of what machines can be had without.
fn variants(spec: &ClusterSpec) -> [ClusterSpec; 3] {
    let unlabelled = ClusterSpec { labels: BTreeMap::new(), ..spec.clone() };
    let pools = spec.pools.iter().map(|pool| Pool::new(pool.name.clone(), pool.role, pool.count)).collect();
    let bare = ClusterSpec { options: BTreeMap::new(), pools, ..unlabelled.clone() };
    [spec.clone(), unlabelled, bare]
}

/// As JSON without empty values: reading them again gives the same.
fn compact(spec: &ClusterSpec) -> String {
    let mut value = serde_json::to_value(spec).unwrap_or_default();
    leave_out_empty(&mut value);
    value.to_string()
}

fn leave_out_empty(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(leave_out_empty);
            fields.retain(|_, field| !is_empty(field));
        }
        Value::Array(items) => items.iter_mut().for_each(leave_out_empty),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn pieces(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(PIECE).map(|piece| piece.iter().collect()).collect()
}

#[cfg(test)]
mod tests {
    use muster_protocol::model::cluster::{Infrastructure, MachineShape, Orchestrator};
    use muster_protocol::model::host::Role;
    use muster_protocol::quantity::CpuMillis;

    use super::*;

    fn spec() -> ClusterSpec {
        ClusterSpec::new("demo".parse().unwrap(), Orchestrator::Swarm, Infrastructure::Ec2)
    }

    fn read_back(marks: &[(String, String)]) -> Option<ClusterSpec> {
        let marks: BTreeMap<&str, &str> = marks.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        read(|name| marks.get(name).copied())
    }

    #[test]
    fn a_plain_spec_is_one_short_mark() {
        let marks = write(&spec());
        let text = r#"{"controlPlanes":1,"infrastructure":"ec2","name":"demo","orchestrator":"swarm","workers":0}"#;
        assert_eq!(marks, [("io.muster.spec".to_owned(), text.to_owned())]);
        assert_eq!(read_back(&marks), Some(spec()));
    }

    #[test]
    fn a_spec_with_everything_reads_back_from_pieces_that_any_tag_takes() {
        let shape =
            MachineShape { cpu: Some(CpuMillis(1500)), image: Some("ä".repeat(300)), ..MachineShape::default() };
        let mut pool = Pool { shape: shape.clone(), ..Pool::new("gpu".parse().unwrap(), Role::Worker, 3) };
        pool.options.insert("instanceType".to_owned(), String::new());
        let mut full =
            ClusterSpec { machine: shape, pools: vec![pool], account: Some("main".parse().unwrap()), ..spec() };
        full.labels.insert("team".to_owned(), "x".repeat(900));
        let marks = write(&full);
        assert!(marks.len() > 4 && marks.iter().all(|(_, value)| value.chars().count() <= 256), "{marks:?}");
        assert_eq!(read_back(&marks), Some(full));
    }

    #[test]
    fn of_a_spec_that_does_not_fit_the_users_labels_go_first() {
        let mut large = ClusterSpec { workers: 7, ..spec() };
        large.options.insert("vpc".to_owned(), "vpc-1".to_owned());
        large.labels.insert("story".to_owned(), "x".repeat(PIECE * PIECES));
        let read = read_back(&write(&large)).unwrap();
        assert_eq!(read, ClusterSpec { labels: BTreeMap::new(), ..large });
    }

    #[test]
    fn marks_without_a_spec_or_with_one_of_another_release_say_none() {
        assert_eq!(read(|_| None), None);
        assert_eq!(read(|name| (name == mark::SPEC).then_some(r#"{"name":"demo","moons":3}"#)), None);
    }
}
