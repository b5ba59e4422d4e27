//! Why no machine takes a copy, with numbers: what swarm's scheduler sums up in one word is counted machine by machine.

use std::collections::{BTreeMap, BTreeSet};

use bollard::models::{EndpointPortConfigPublishModeEnum, Platform, Service, TaskSpec};
use muster_protocol::quantity::{Bytes, CpuMillis};

use super::nodes::MachineNode;
use super::services::allows;
use crate::services::{platforms, volume_in};

/// The beginning of what swarm says when no machine takes a copy.
pub(super) const NOWHERE: &str = "no suitable node";

/// Swarm's words, with the reasons of the machines where they can be told: `no suitable node (…): of 3 machines 2 lack
/// disk==ssd, 1 has less than 900Gi of memory`.
pub(super) fn explained(
    words: &str,
    service: &Service,
    others: &[Service],
    machines: &BTreeMap<&str, MachineNode<'_>>,
) -> String {
    let Some(task) = service.spec.as_ref().and_then(|spec| spec.task_template.as_ref()) else {
        return words.to_owned();
    };
    if !words.starts_with(NOWHERE) {
        return words.to_owned();
    }
    let mut reasons: BTreeMap<String, u32> = BTreeMap::new();
    for machine in machines.values() {
        let other = other_processor(platforms(service), machine);
        let other = other.map(|own| format!("is {own}, and the image is for {}", names(platforms(service))));
        if let Some(reason) = reason(task, machine).or(other) {
            *reasons.entry(reason).or_default() += 1;
        }
    }
    let mut told: Vec<String> = reasons.into_iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    if !told.is_empty() {
        let counted = told.join(", ");
        told = vec![format!("of {} machines {counted}", machines.len())];
    }
    told.extend(taken_ports(service, others));
    if told.is_empty() { words.to_owned() } else { format!("{words}: {}", told.join("; ")) }
}

/// That every machine has another processor than the image is for, if that is so: `the image is for linux/arm64, and all 3
/// machines are linux/amd64`.
pub(super) fn other_processors(service: &Service, machines: &BTreeMap<&str, MachineNode<'_>>) -> Option<String> {
    let wanted = platforms(service);
    let others: Option<BTreeSet<String>> = machines.values().map(|machine| other_processor(wanted, machine)).collect();
    let others = others.filter(|others| !others.is_empty())?;
    let others: Vec<String> = others.into_iter().collect();
    Some(format!("the image is for {}, and all {} machines are {}", names(wanted), machines.len(), others.join(" or ")))
}

/// The machine's processor, if the image is for others.
fn other_processor(wanted: &[Platform], machine: &MachineNode<'_>) -> Option<String> {
    let own = machine.node.description.as_ref()?.platform.as_ref()?;
    let fits = |one: &Platform| {
        let same = |one: &Option<String>, other: &Option<String>| {
            let (one, other) = (usual(one), usual(other));
            one.is_empty() || one == other
        };
        same(&one.os, &own.os) && same(&one.architecture, &own.architecture)
    };
    (!wanted.is_empty() && !wanted.iter().any(fits)).then(|| name(own))
}

/// The name that images have for what the kernel of a machine calls otherwise.
fn usual(name: &Option<String>) -> &str {
    match name.as_deref().unwrap_or_default() {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        name => name,
    }
}

fn name(platform: &Platform) -> String {
    format!("{}/{}", usual(&platform.os), usual(&platform.architecture))
}

fn names(platforms: &[Platform]) -> String {
    platforms.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// The first thing that keeps a copy off this machine for good. What others use of it for now is not known here.
fn reason(task: &TaskSpec, machine: &MachineNode<'_>) -> Option<String> {
    if !machine.takes_tasks() {
        return Some("takes no copies (down, drained or paused)".to_owned());
    }
    let placement = task.placement.as_ref().and_then(|placement| placement.constraints.as_ref());
    if let Some(lacking) = placement.into_iter().flatten().find(|constraint| !allows(constraint, machine)) {
        if let Some(volume) = volume_in(lacking) {
            return Some(format!("has no volume `{volume}` of an earlier copy (see `allowEmptyVolume`)"));
        }
        return Some(format!("does not meet {}", lacking.trim_start_matches("node.").trim_start_matches("labels.")));
    }
    let kept = task.resources.as_ref()?.reservations.as_ref()?;
    let has = machine.node.description.as_ref()?.resources.as_ref()?;
    let amount = |amount: Option<i64>| amount.and_then(|amount| u64::try_from(amount).ok()).unwrap_or(0);
    if amount(kept.memory_bytes) > amount(has.memory_bytes) {
        return Some(format!("has less than {} of memory", Bytes(amount(kept.memory_bytes))));
    }
    if amount(kept.nano_cpus) > amount(has.nano_cpus) {
        let cores = CpuMillis(amount(kept.nano_cpus) / 1_000_000);
        return Some(format!("has less than {cores} cores of processor time"));
    }
    None
}

/// `port 8090 is taken by service hp`: ports of the machines that another service has too.
fn taken_ports(service: &Service, others: &[Service]) -> Vec<String> {
    let mut taken = Vec::new();
    for (number, transport) in host_ports(service) {
        for other in others.iter().filter(|other| other.id != service.id) {
            let has_it = host_ports(other).any(|(its, of)| (its, &of) == (number, &transport));
            let name = other.spec.as_ref().and_then(|spec| spec.name.as_ref());
            if let (true, Some(name)) = (has_it, name) {
                taken.push(format!("port {number}/{transport} is taken by service {name}"));
            }
        }
    }
    taken
}

fn host_ports(service: &Service) -> impl Iterator<Item = (i64, String)> + '_ {
    let ports = service.spec.as_ref().and_then(|spec| spec.endpoint_spec.as_ref()?.ports.as_ref());
    let of_host =
        ports.into_iter().flatten().filter(|port| port.publish_mode == Some(EndpointPortConfigPublishModeEnum::HOST));
    of_host.filter_map(|port| {
        let transport = port.protocol.map_or_else(|| "tcp".to_owned(), |protocol| protocol.to_string());
        Some((port.published_port?, transport))
    })
}

#[cfg(test)]
mod tests {
    use bollard::models::Node;
    use serde_json::{Value, json};

    use super::*;

    const WORDS: &str = "no suitable node (scheduling constraints not satisfied on 2 nodes)";

    fn told(task: &Value, ports: &Value, others: &Value) -> String {
        let service = |id: &str, name: &str, task: &Value, ports: &Value| -> Service {
            let spec = json!({ "Name": name, "TaskTemplate": task, "EndpointSpec": { "Ports": ports } });
            serde_json::from_value(json!({ "ID": id, "Spec": spec })).unwrap()
        };
        let node = |disk: &str| -> Node {
            serde_json::from_value(json!({
                "Spec": { "Availability": "active", "Role": "worker", "Labels": { "disk": disk } },
                "Status": { "State": "ready" },
                "Description": {
                    "Platform": { "OS": "linux", "Architecture": if disk == "ssd" { "x86_64" } else { "aarch64" } },
                    "Resources": { "NanoCPUs": 2_000_000_000_i64, "MemoryBytes": 1_i64 << 30 },
                },
            }))
            .unwrap()
        };
        let (one, other) = (node("ssd"), node("hdd"));
        let machine = |name: &str, node| MachineNode { name: name.parse().unwrap(), address: None, node };
        let machines = [("a", machine("worker-1", &one)), ("b", machine("worker-2", &other))].into();
        let asked = service("s", "web", task, ports);
        other_processors(&asked, &machines).unwrap_or_else(|| {
            explained(WORDS, &asked, &[asked.clone(), service("o", "hp", &json!({}), others)], &machines)
        })
    }

    fn told_of(platforms: &Value) -> String {
        told(&json!({ "Placement": { "Platforms": platforms } }), &json!([]), &json!([]))
    }

    #[test]
    fn an_image_for_processors_that_no_machine_has_is_told_with_both() {
        let told =
            told_of(&json!([{ "Architecture": "s390x", "OS": "linux" }, { "Architecture": "386", "OS": "linux" }]));
        let expected = "the image is for linux/s390x, linux/386, and all 2 machines are linux/amd64 or linux/arm64";
        assert_eq!(told, expected);
    }

    #[test]
    fn machines_with_another_processor_are_counted_where_others_have_the_right_one() {
        let told = told_of(&json!([{ "Architecture": "arm64", "OS": "linux" }]));
        assert_eq!(told, format!("{WORDS}: of 2 machines 1 is linux/amd64, and the image is for linux/arm64"));
        // An image that does not say it runs anywhere.
        assert_eq!(told_of(&json!([{ "OS": "linux" }])), WORDS);
    }

    #[test]
    fn machines_are_counted_by_what_they_lack() {
        let task = json!({
            "Placement": { "Constraints": ["node.labels.disk==ssd"] },
            "Resources": { "Reservations": { "MemoryBytes": 900_i64 << 30 } },
        });
        let expected = "of 2 machines 1 does not meet disk==ssd, 1 has less than 900Gi of memory";
        assert_eq!(told(&task, &json!([]), &json!([])), format!("{WORDS}: {expected}"));
    }

    #[test]
    fn a_taken_port_is_told_with_its_owner() {
        let port = json!([{ "PublishedPort": 8090, "Protocol": "tcp", "PublishMode": "host" }]);
        let expected = "port 8090/tcp is taken by service hp";
        assert_eq!(told(&json!({}), &port, &port), format!("{WORDS}: {expected}"));
    }

    #[test]
    fn what_cannot_be_explained_stays_as_it_is() {
        assert_eq!(told(&json!({}), &json!([]), &json!([])), WORDS);
    }
}
