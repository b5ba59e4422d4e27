//! On which nodes a service's copies may run, and how long they stay bound to a node that is silent.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{
    Affinity, NodeAffinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PreferredSchedulingTerm,
    Toleration,
};
use muster_protocol::model::service::{Attribute, Constraint, ServiceMode, ServiceSpec};

use crate::marks::MACHINE;
use crate::services::volumes;

/// The label, and the taint, of a control-plane node.
pub(crate) const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";
/// After so many seconds on a node that is silent, a copy is made elsewhere. Kubernetes' own default is 300.
const SILENT_SECONDS: i64 = 30;

/// What the constraints require, and the volumes at which the copies are held. Copies without a constraint on the role prefer
/// workers.
pub(super) fn affinity(spec: &ServiceSpec, held: &BTreeSet<String>) -> Option<Affinity> {
    let mut required: Vec<NodeSelectorRequirement> = spec.constraints.iter().map(requirement).collect();
    required.extend(held.iter().map(|volume| expression(&volumes::label(volume), "Exists", None)));
    let names_role = spec.constraints.iter().any(|constraint| constraint.attribute == Attribute::Role);
    let prefers_workers = match spec.mode {
        ServiceMode::Replicated | ServiceMode::Job => !names_role,
        ServiceMode::Global => false,
    };
    if required.is_empty() && !prefers_workers {
        return None;
    }
    let term = |expressions| NodeSelectorTerm { match_expressions: Some(expressions), match_fields: None };
    let workers = || PreferredSchedulingTerm {
        weight: 100,
        preference: term(vec![expression(CONTROL_PLANE, "DoesNotExist", None)]),
    };
    let node_affinity = NodeAffinity {
        required_during_scheduling_ignored_during_execution: (!required.is_empty())
            .then(|| NodeSelector { node_selector_terms: vec![term(required)] }),
        preferred_during_scheduling_ignored_during_execution: prefers_workers.then(|| vec![workers()]),
    };
    Some(Affinity { node_affinity: Some(node_affinity), ..Default::default() })
}

fn requirement(constraint: &Constraint) -> NodeSelectorRequirement {
    let equal = constraint.equal;
    let is = if equal { "In" } else { "NotIn" };
    match &constraint.attribute {
        Attribute::Role => {
            let control_plane = (constraint.value == "control-plane") == equal;
            expression(CONTROL_PLANE, if control_plane { "Exists" } else { "DoesNotExist" }, None)
        }
        Attribute::Host => expression(MACHINE, is, Some(&constraint.value)),
        Attribute::Label(label) => expression(label, is, Some(&constraint.value)),
    }
}

fn expression(key: &str, operator: &str, value: Option<&str>) -> NodeSelectorRequirement {
    NodeSelectorRequirement {
        key: key.to_owned(),
        operator: operator.to_owned(),
        values: value.map(|value| vec![value.to_owned()]),
    }
}

/// Copies may run on control planes too, as in Swarm: a cluster may have no other machines, and constraints can say no.
pub(super) fn tolerations(mode: ServiceMode) -> Vec<Toleration> {
    let tolerate = |key: &str, effect: &str, seconds: Option<i64>| Toleration {
        key: Some(key.to_owned()),
        operator: Some("Exists".to_owned()),
        effect: Some(effect.to_owned()),
        toleration_seconds: seconds,
        value: None,
    };
    let mut tolerations = vec![tolerate(CONTROL_PLANE, "NoSchedule", None)];
    match mode {
        // A DaemonSet's copy has no other place to go; Kubernetes adds its own tolerations.
        ServiceMode::Global => {}
        ServiceMode::Replicated | ServiceMode::Job => {
            for taint in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
                tolerations.push(tolerate(taint, "NoExecute", Some(SILENT_SECONDS)));
            }
        }
    }
    tolerations
}
