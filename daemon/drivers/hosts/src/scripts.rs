//! The scripts that run on hosts, as root, and what they have in common.

use std::time::Duration;

use muster_engine::context::ClusterContext;
use muster_engine::failure::{Certainty, Failure};
use muster_engine::ledger::InfraKey;
use muster_material::material::{self, MaterialError};
use muster_protocol::ErrorCode;
use muster_provision::recipe::Script;
use muster_provision::ssh::Session;

use crate::claim::Claim;
use crate::contact::failure;
use crate::entry::Host;
use crate::facts::HostFacts;

/// Where claims and undo records lie. A daemon that runs on the host itself may have its state there too.
const ROOT: &str = "/var/lib/muster";
/// Gone at the next boot, like whoever held it.
const LOCK: &str = "/run/muster-claim.lock";
/// In which folder an engine's own data waits until the host is left.
const ASIDE: &str = ".before-muster";

/// What preparations and orchestrators write, apart from packages: put back as it was.
const SETTINGS: &str = "/etc/docker /etc/containerd /etc/systemd/system/docker.service.d /etc/muster/staged \
    /etc/muster/kubernetes /etc/kubernetes /etc/cni /etc/crictl.yaml /etc/modules-load.d/muster-kubernetes.conf \
    /etc/sysctl.d/99-muster-kubernetes.conf /etc/apt/sources.list.d/muster-kubernetes.list \
    /etc/apt/auth.conf.d/muster-kubernetes.conf \
    /etc/systemd/system/muster-balancer.service /etc/systemd/system/muster-name-relay.service /opt/cni /root/.kube";
/// Folders of those that go if they were not there and are empty.
const PARENTS: &str = "/etc/muster /opt /etc/modules-load.d /etc/sysctl.d /etc/apt/sources.list.d /usr/lib/modules";
/// Where engines and orchestrators keep data: gone if it was not there.
const DATA: &str = "/var/lib/docker /var/lib/containerd /var/lib/kubelet /var/lib/etcd /var/lib/cni /var/lib/dockershim \
    /usr/libexec/kubernetes /opt/containerd /var/lib/haproxy";
/// What engines, kubelet and recipes set in the kernel.
const SYSCTLS: &str = "net/ipv4/ip_forward net/ipv6/conf/all/forwarding net/ipv6/conf/default/forwarding \
    net/bridge/bridge-nf-call-iptables net/bridge/bridge-nf-call-ip6tables net/ipv4/conf/all/route_localnet \
    fs/inotify/max_user_instances fs/inotify/max_user_watches vm/overcommit_memory vm/panic_on_oom kernel/panic \
    kernel/panic_on_oops net/netfilter/nf_conntrack_max";

/// What the recipes ask apt for. All else that came with them was installed automatically.
const PACKAGES: &str = "docker.io iptables ca-certificates apparmor containerd socat conntrack ethtool ebtables haproxy \
    kubeadm kubelet kubectl curl";

const FACTS: &str = include_str!("../scripts/facts.sh");
const CLAIM: &str = include_str!("../scripts/claim.sh");
const RELEASE: &str = include_str!("../scripts/release.sh");

/// How a claim or a release ended on the host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Ended {
    /// The host is ours, recorded, and lets the cluster in.
    Claimed,
    /// It is as it was found.
    Released,
    /// Nobody had it.
    Free,
    /// Somebody else has it: the claim's line.
    Taken(String),
    /// It is ours still, because these things of ours are left on it.
    Left(Vec<String>),
}

/// Asks a host what it is.
pub(crate) async fn facts(host: &Host, session: &Session, limit: Duration) -> Result<HostFacts, Failure> {
    let script = Script { name: "facts", text: FACTS, limit };
    let said = script.run(session, &[("ROOT", ROOT), ("LOCK", LOCK)], &|_| ()).await;
    // To ask changes nothing.
    let said = said.map_err(|error| Failure { certainty: Certainty::NotApplied, ..failure(host, error) })?;
    Ok(HostFacts::read(&said.lines))
}

/// Claims a host, or completes a claim of ours; with `only_complete`, nothing new is claimed.
pub(crate) async fn claim(
    host: &Host,
    session: &Session,
    cluster: &ClusterContext,
    claim: &Claim,
    only_complete: bool,
    limit: Duration,
) -> Result<Ended, Failure> {
    let key = public_key(cluster)?;
    let (owner, line) = (claim.owner(), claim.line());
    let variables = [
        ("ROOT", ROOT),
        ("LOCK", LOCK),
        ("OWNER", owner.as_str()),
        ("CLAIM", line.as_str()),
        ("NEW", if only_complete { "no" } else { "yes" }),
        ("LOGIN_USER", host.user.as_str()),
        ("PUBLIC_KEY", key),
        ("SUDO", if session.is_root_without_a_password() { "no" } else { "yes" }),
        ("SETTINGS", SETTINGS),
        ("PARENTS", PARENTS),
        ("DATA", DATA),
        ("ASIDE", ASIDE),
        ("SYSCTLS", SYSCTLS),
    ];
    run(host, session, Script { name: "claim", text: CLAIM, limit }, &variables).await
}

/// Leaves a host as it was found.
pub(crate) async fn release(
    host: &Host,
    session: &Session,
    cluster: &ClusterContext,
    key: &InfraKey,
    limit: Duration,
) -> Result<Ended, Failure> {
    let owner = Claim::new(cluster, key, host.name.as_str(), 0).owner();
    let variables = [
        ("ROOT", ROOT),
        ("LOCK", LOCK),
        ("OWNER", owner.as_str()),
        ("PUBLIC_KEY", public_key(cluster)?),
        ("PACKAGES", PACKAGES),
        ("SETTINGS", SETTINGS),
        ("PARENTS", PARENTS),
        ("DATA", DATA),
        ("ASIDE", ASIDE),
    ];
    run(host, session, Script { name: "release", text: RELEASE, limit }, &variables).await
}

async fn run(host: &Host, session: &Session, script: Script, variables: &[(&str, &str)]) -> Result<Ended, Failure> {
    let on_line = |line: &str| tracing::debug!(host = %host.name, script = script.name, "{line}");
    let said = script.run(session, variables, &on_line).await.map_err(|error| failure(host, error))?;
    ended(&said.lines).ok_or_else(|| {
        let message = format!("host `{}`: `{}` ended without saying how", host.name, script.name);
        Failure::maybe_applied(ErrorCode::Preparation, message)
    })
}

fn ended(lines: &[String]) -> Option<Ended> {
    let outcome = lines.iter().rev().find_map(|line| line.strip_prefix("outcome="))?;
    match outcome.split_once(' ').unwrap_or((outcome, "")) {
        ("claimed", _) => Some(Ended::Claimed),
        ("released", _) => Some(Ended::Released),
        ("free", _) => Some(Ended::Free),
        ("taken", line) => Some(Ended::Taken(line.to_owned())),
        ("left", _) => {
            let left = lines.iter().filter_map(|line| line.strip_prefix("left=")).map(str::to_owned);
            Some(Ended::Left(left.collect()))
        }
        _ => None,
    }
}

fn public_key(cluster: &ClusterContext) -> Result<&str, Failure> {
    material::entry(&cluster.material, material::SSH_PUBLIC_KEY)
        .map_err(|error: MaterialError| Failure::not_applied(ErrorCode::Internal, error.to_string()).permanent())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Option<Ended> {
        ended(&text.lines().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn every_package_that_a_recipe_asks_for_is_known_as_ours() {
        let recipes = [
            include_str!("../../../provision/recipes/swarm/install-docker.sh"),
            include_str!("../../../provision/recipes/kubernetes/install.sh"),
        ];
        let ours: Vec<&str> = PACKAGES.split_whitespace().collect();
        let mut found = 0;
        for line in recipes.iter().flat_map(|recipe| recipe.lines()).map(str::trim) {
            let asked = line
                .strip_prefix("packages=")
                .or_else(|| line.strip_prefix("for package in "))
                .or_else(|| line.split_once("wanted=\"$wanted ").map(|(_, words)| words));
            let Some(asked) = asked else { continue };
            let plain = |word: &&str| {
                !word.starts_with('$') && word.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c))
            };
            let words = asked.split(['"', ';', ' ']).filter(|word| !["", "do", "done"].contains(word)).filter(plain);
            for package in words {
                assert!(ours.contains(&package), "a recipe asks for `{package}`: {line}");
                found += 1;
            }
        }
        assert!(found >= 10, "only {found} packages were found in the recipes");
    }

    #[test]
    fn the_last_word_of_a_script_is_how_it_ended() {
        assert_eq!(said("warning: x\noutcome=claimed"), Some(Ended::Claimed));
        assert_eq!(said("outcome=taken {\"a\":\"b c\"}"), Some(Ended::Taken("{\"a\":\"b c\"}".to_owned())));
        let left = vec!["package a:amd64".to_owned(), "folder /x".to_owned()];
        assert_eq!(said("left=package a:amd64\nleft=folder /x\noutcome=left"), Some(Ended::Left(left)));
        assert_eq!(said("outcome=strange"), None);
        assert_eq!(said("Connection closed"), None);
    }
}
