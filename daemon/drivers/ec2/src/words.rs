//! What a cluster needs at EC2, in words, and what stands on what.
//!
//! ```text
//!  vpc ──┬── subnet/<zone> ────────────────────────────┬── machine/<name>
//!        ├── security-group/nodes ─ security-rules/nodes┤
//!        └─┬ gateway-attachment ─── default-route ──────┤
//!  internet-gateway                       key-pair/main ┘
//! ```
//!
//! With a VPC that is there already, the first and third lines have nothing of ours. Each word is one outside call.
//!
//! A network load balancer for the control planes, where one is asked for, is beside that; nothing of it is below a machine:
//!
//! ```text
//!  subnet/<zone>, security-group/nodes ─ load-balancer/control-plane ┐
//!  vpc ───────────────────────────────── target-group/control-plane ─┴ listener/control-plane ┐
//!                                                              machine/control-plane-<number> ┴ endpoint/control-plane
//! ```
//!
//! The endpoint is what the target group leads to: it is brought up to date as control planes come and go.

use muster_engine::desired::Desired;
use muster_engine::driver::Need;
use muster_engine::failure::Failure;
use muster_engine::ledger::{InfraKey, InfraKind};
use muster_protocol::model::host::Role;
use muster_protocol::{ErrorCode, Name};
use sha2::{Digest, Sha256};

use crate::rules;
use crate::settings::Settings;

const VPC: InfraKind = InfraKind::new("vpc");
const SUBNET: InfraKind = InfraKind::new("subnet");
const GATEWAY: InfraKind = InfraKind::new("internet-gateway");
const ATTACHMENT: InfraKind = InfraKind::new("gateway-attachment");
const ROUTE: InfraKind = InfraKind::new("default-route");
const GROUP: InfraKind = InfraKind::new("security-group");
const RULES: InfraKind = InfraKind::new("security-rules");
const KEY_PAIR: InfraKind = InfraKind::new("key-pair");
const TARGET_GROUP: InfraKind = InfraKind::new("target-group");
const BALANCER: InfraKind = InfraKind::new("load-balancer");
const LISTENER: InfraKind = InfraKind::new("listener");
const ENDPOINT: InfraKind = InfraKind::new("endpoint");

/// What a key stands for here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Word {
    Vpc,
    Subnet,
    Gateway,
    Attachment,
    Route,
    Group,
    Rules,
    KeyPair,
    TargetGroup,
    Balancer,
    Listener,
    Endpoint,
    Machine,
}

impl Word {
    const ALL: [(InfraKind, Self); 13] = [
        (VPC, Self::Vpc),
        (SUBNET, Self::Subnet),
        (GATEWAY, Self::Gateway),
        (ATTACHMENT, Self::Attachment),
        (ROUTE, Self::Route),
        (GROUP, Self::Group),
        (RULES, Self::Rules),
        (KEY_PAIR, Self::KeyPair),
        (TARGET_GROUP, Self::TargetGroup),
        (BALANCER, Self::Balancer),
        (LISTENER, Self::Listener),
        (ENDPOINT, Self::Endpoint),
        (InfraKind::MACHINE, Self::Machine),
    ];

    /// Reads a key; one of another infrastructure is a mistake of the caller's.
    pub(crate) fn of(key: &InfraKey) -> Result<Self, Failure> {
        let known = Self::ALL.into_iter().find(|(kind, _)| *kind == key.kind);
        known.map(|(_, word)| word).ok_or_else(|| {
            Failure::not_applied(ErrorCode::Internal, format!("the infrastructure `ec2` makes no {key}")).permanent()
        })
    }
}

const CONTROL_PLANE: &str = "control-plane";

/// The subnet of a cluster that names no zones: in any zone that has its machines' type.
pub(crate) const ANY_ZONE: &str = "any";

pub(crate) const fn vpc() -> InfraKey {
    InfraKey::only(VPC)
}

pub(crate) const fn gateway() -> InfraKey {
    InfraKey::only(GATEWAY)
}

pub(crate) const fn attachment() -> InfraKey {
    InfraKey::only(ATTACHMENT)
}

pub(crate) const fn route() -> InfraKey {
    InfraKey::only(ROUTE)
}

pub(crate) fn group() -> InfraKey {
    InfraKey::named(GROUP, fixed("nodes"))
}

pub(crate) fn rules() -> InfraKey {
    InfraKey::named(RULES, fixed("nodes"))
}

pub(crate) fn key_pair() -> InfraKey {
    InfraKey::named(KEY_PAIR, fixed("main"))
}

pub(crate) fn target_group() -> InfraKey {
    InfraKey::named(TARGET_GROUP, fixed(CONTROL_PLANE))
}

pub(crate) fn balancer() -> InfraKey {
    InfraKey::named(BALANCER, fixed(CONTROL_PLANE))
}

pub(crate) fn listener() -> InfraKey {
    InfraKey::named(LISTENER, fixed(CONTROL_PLANE))
}

pub(crate) fn endpoint() -> InfraKey {
    InfraKey::named(ENDPOINT, fixed(CONTROL_PLANE))
}

#[expect(clippy::expect_used, reason = "the words of this file are lower-case letters and hyphens between them")]
fn fixed(word: &str) -> Name {
    word.parse().expect("lower-case letters with a hyphen between them are a name")
}

/// The subnets of a VPC of the cluster's own.
pub(crate) fn subnets(settings: &Settings) -> Vec<InfraKey> {
    if settings.vpc_id.is_some() {
        return Vec::new();
    }
    if settings.zones.is_empty() {
        return vec![InfraKey::named(SUBNET, fixed(ANY_ZONE))];
    }
    settings.zones.iter().map(|zone| InfraKey::named(SUBNET, zone.clone())).collect()
}

/// Everything that the cluster needs, and what each stands on.
pub(crate) fn needs(settings: &Settings, desired: &Desired) -> Vec<Need> {
    let own_network = settings.vpc_id.is_none();
    let on_vpc = if own_network { vec![vpc()] } else { Vec::new() };
    let mut needs = Vec::new();
    let mut below_machines = vec![key_pair(), rules()];

    if own_network {
        needs.push(need(vpc(), Vec::new(), 0));
        for subnet in subnets(settings) {
            needs.push(need(subnet.clone(), on_vpc.clone(), 0));
            below_machines.push(subnet);
        }
        if settings.public_address {
            needs.push(need(gateway(), Vec::new(), 0));
            needs.push(need(attachment(), vec![vpc(), gateway()], 0));
            needs.push(need(route(), vec![vpc(), gateway(), attachment()], 0));
            below_machines.push(route());
        }
    }
    needs.push(need(key_pair(), Vec::new(), 0));
    needs.push(need(group(), on_vpc.clone(), 0));
    let digest = digest(rules::wanted(settings, desired.spec.orchestrator).iter().map(rules::text));
    needs.push(need(rules(), vec![group()], digest));
    // A machine learns the group's id from its rules' entry, which stands on the group.
    below_machines.push(group());
    needs.extend(desired.machines().map(|(name, _)| need(InfraKey::for_machine(name), below_machines.clone(), 0)));
    if settings.has_balancer(desired.spec.orchestrator) {
        needs.extend(needs_of_balancer(settings, desired, on_vpc));
    }
    needs
}

fn needs_of_balancer(settings: &Settings, desired: &Desired, on_vpc: Vec<InfraKey>) -> [Need; 4] {
    let below = subnets(settings).into_iter().chain([group()]).collect();
    let control_planes = desired.machines().filter(|(_, role)| *role == Role::ControlPlane);
    let machines: Vec<InfraKey> = control_planes.map(|(name, _)| InfraKey::for_machine(name)).collect();
    let members = digest(machines.iter().map(ToString::to_string));
    [
        need(balancer(), below, 0),
        need(target_group(), on_vpc, 0),
        need(listener(), vec![balancer(), target_group()], 0),
        need(endpoint(), [listener()].into_iter().chain(machines).collect(), members),
    ]
}

/// A digest of texts: it changes when they do, and is the same in every release.
pub(crate) fn digest(texts: impl Iterator<Item = String>) -> u64 {
    let mut digest = Sha256::new();
    for text in texts {
        digest.update(text.as_bytes());
        digest.update([0]);
    }
    let bytes = digest.finalize();
    // Never 0, which stands for "never changes".
    bytes.iter().take(8).fold(0u64, |number, byte| (number << 8) | u64::from(*byte)).max(1)
}

fn need(key: InfraKey, after: Vec<InfraKey>, input: u64) -> Need {
    Need { key, after, input }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use muster_protocol::model::cluster::Orchestrator;

    use super::*;
    use crate::samples;

    fn words(options: &[(&str, &str)]) -> Vec<String> {
        let desired = samples::desired();
        let settings = samples::settings(options);
        let needs = needs(&settings, &desired);
        let keys: BTreeSet<_> = needs.iter().map(|need| &need.key).collect();
        for need in &needs {
            for below in &need.after {
                assert!(keys.contains(below), "{} stands on {below}, which nobody makes", need.key);
            }
        }
        needs.iter().map(|need| need.key.to_string()).collect()
    }

    #[test]
    fn a_cluster_of_its_own_network_needs_all_of_it() {
        assert_eq!(
            words(&[]),
            [
                "vpc",
                "subnet/any",
                "internet-gateway",
                "gateway-attachment",
                "default-route",
                "key-pair/main",
                "security-group/nodes",
                "security-rules/nodes",
                "machine/control-plane-1",
                "machine/worker-1",
            ]
        );
    }

    #[test]
    fn zones_are_subnets_and_private_machines_need_no_gateway() {
        let words = words(&[("zones", "eu-central-1a, eu-central-1b"), ("publicAddress", "false")]);
        assert_eq!(words[..3], ["vpc", "subnet/eu-central-1a", "subnet/eu-central-1b"]);
        assert!(!words.iter().any(|word| word.contains("gateway") || word.contains("route")));
    }

    #[test]
    fn a_network_load_balancer_stands_below_no_machine_and_its_endpoint_on_the_control_planes() {
        let settings = samples::settings(&[("controlPlaneEndpoint", "network-load-balancer")]);
        let mut desired = samples::desired();
        let keys = |desired: &Desired| -> Vec<String> {
            needs(&settings, desired).iter().map(|need| need.key.to_string()).collect()
        };
        let of_swarm = keys(&desired);
        desired.spec.orchestrator = Orchestrator::Kubernetes;
        desired.spec.control_planes = 3;
        let four =
            ["load-balancer", "target-group", "listener", "endpoint"].map(|word| format!("{word}/control-plane"));
        let of_kubernetes = keys(&desired);
        assert_eq!(of_kubernetes[of_kubernetes.len() - 4..], four);
        assert!(of_swarm.iter().all(|key| !four.contains(key)), "{of_swarm:?}");

        let needs = needs(&settings, &desired);
        let need = |key: &InfraKey| needs.iter().find(|need| need.key == *key).unwrap();
        let after: Vec<String> = need(&endpoint()).after.iter().map(ToString::to_string).collect();
        assert_eq!(after[0], "listener/control-plane");
        assert_eq!(after[1..], [1, 2, 3].map(|number| format!("machine/control-plane-{number}")));
        for machine in needs.iter().filter(|need| need.key.machine().is_some()) {
            assert!(machine.after.iter().all(|below| !four.contains(&below.to_string())), "{machine:?}");
        }
    }

    #[test]
    fn of_a_given_network_nothing_is_ours() {
        let words = words(&[("vpcId", "vpc-1"), ("subnetIds", "subnet-1,subnet-2")]);
        assert_eq!(words[..3], ["key-pair/main", "security-group/nodes", "security-rules/nodes"]);
    }

    #[test]
    fn other_rules_are_another_input() {
        let input = |cidrs: &str| {
            let settings = samples::settings(&[("allowedCidrs", cidrs)]);
            needs(&settings, &samples::desired()).into_iter().find(|need| need.key == rules()).unwrap().input
        };
        assert_eq!(input("10.0.0.0/8"), input("10.0.0.0/8"));
        assert_ne!(input("10.0.0.0/8"), input("10.0.0.0/9"));
    }
}
