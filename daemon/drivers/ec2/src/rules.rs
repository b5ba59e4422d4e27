//! What the security group of a cluster lets in, as pure data.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{IpPermission, IpRange, UserIdGroupPair};
use muster_protocol::model::cluster::Orchestrator;

use crate::cidr::Cidr;
use crate::ports::{self, PortRange};
use crate::settings::Settings;

/// One thing that is let in.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Rule {
    /// Everything between the machines of the cluster.
    Inside,
    /// A protocol to these ports from this range.
    From(Protocol, PortRange, Cidr),
    /// Something that is none of ours and must go; as EC2 says it.
    Foreign(String),
}

/// A protocol with ports.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Protocol {
    Tcp,
    Udp,
}

impl Protocol {
    fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

const ALL: &str = "-1";

/// What should be let in: SSH and the orchestrator's API from where the daemon is, services from where they are used,
/// and the machines from each other.
pub(crate) fn wanted(settings: &Settings, orchestrator: Orchestrator) -> BTreeSet<Rule> {
    let mut rules = BTreeSet::from([Rule::Inside]);
    let ssh = PortRange { from: settings.ssh_port, to: settings.ssh_port };
    for cidr in &settings.allowed_cidrs {
        for range in std::iter::once(ssh).chain(ports::of_api(orchestrator)) {
            rules.insert(Rule::From(Protocol::Tcp, range, *cidr));
        }
    }
    for cidr in &settings.service_cidrs {
        for range in &settings.service_ports {
            rules.insert(Rule::From(Protocol::Tcp, *range, *cidr));
            rules.insert(Rule::From(Protocol::Udp, *range, *cidr));
        }
    }
    rules
}

/// What a group lets in.
pub(crate) fn present(group: &str, permissions: &[IpPermission]) -> BTreeSet<Rule> {
    permissions.iter().flat_map(|permission| read(group, permission)).collect()
}

/// As EC2 takes it. What is foreign has no form of ours.
pub(crate) fn permission(group: &str, rule: &Rule) -> Option<IpPermission> {
    let permission = IpPermission::builder();
    match rule {
        Rule::Inside => {
            let pair = UserIdGroupPair::builder().group_id(group).build();
            Some(permission.ip_protocol(ALL).user_id_group_pairs(pair).build())
        }
        Rule::From(protocol, range, cidr) => {
            let source = IpRange::builder().cidr_ip(cidr.to_string()).build();
            let permission = permission.ip_protocol(protocol.word()).ip_ranges(source);
            Some(permission.from_port(i32::from(range.from)).to_port(i32::from(range.to)).build())
        }
        Rule::Foreign(_) => None,
    }
}

/// A rule in words.
pub(crate) fn text(rule: &Rule) -> String {
    match rule {
        Rule::Inside => "everything between the machines".to_owned(),
        Rule::From(protocol, range, cidr) => format!("{} {range} from {cidr}", protocol.word()),
        Rule::Foreign(said) => format!("foreign: {said}"),
    }
}

fn read(group: &str, permission: &IpPermission) -> Vec<Rule> {
    let mut rules = Vec::new();
    let protocol = permission.ip_protocol().unwrap_or_default();
    for pair in permission.user_id_group_pairs() {
        let inside = protocol == ALL && pair.group_id() == Some(group);
        rules.push(if inside { Rule::Inside } else { Rule::Foreign(format!("{protocol} {:?}", pair.group_id())) });
    }
    for range in permission.ip_ranges() {
        let cidr = range.cidr_ip().unwrap_or_default();
        let rule = from_range(protocol, permission.from_port(), permission.to_port(), cidr);
        rules.push(rule.unwrap_or_else(|| Rule::Foreign(format!("{protocol} from {cidr}"))));
    }
    for range in permission.ipv6_ranges() {
        rules.push(Rule::Foreign(format!("{protocol} from {}", range.cidr_ipv6().unwrap_or_default())));
    }
    rules
}

fn from_range(protocol: &str, from: Option<i32>, to: Option<i32>, cidr: &str) -> Option<Rule> {
    let protocol = [Protocol::Tcp, Protocol::Udp].into_iter().find(|known| known.word() == protocol)?;
    let port = |port: Option<i32>| port.and_then(|port| u16::try_from(port).ok());
    Some(Rule::From(protocol, PortRange { from: port(from)?, to: port(to)? }, cidr.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    fn wanted_by(options: &[(&str, &str)]) -> BTreeSet<Rule> {
        wanted(&samples::settings(options), Orchestrator::Swarm)
    }

    #[test]
    fn as_little_as_possible_is_let_in() {
        let texts: Vec<String> = wanted_by(&[]).iter().map(text).collect();
        assert_eq!(
            texts,
            ["everything between the machines", "tcp 22 from 198.51.100.7/32", "tcp 2376 from 198.51.100.7/32"]
        );
    }

    #[test]
    fn rules_read_back_from_what_ec2_says() {
        let wanted = wanted_by(&[("serviceCidrs", "0.0.0.0/0"), ("servicePorts", "80,30000-32767")]);
        let permissions: Vec<_> = wanted.iter().filter_map(|rule| permission("sg-1", rule)).collect();
        assert_eq!(present("sg-1", &permissions), wanted);
        // The same rule of another group lets other machines in.
        assert!(present("sg-2", &permissions).iter().any(|rule| matches!(rule, Rule::Foreign(_))));
    }
}
