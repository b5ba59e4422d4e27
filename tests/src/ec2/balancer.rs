//! A container for every load balancer of Muster's that moto has: haproxy before the targets that moto says, under the
//! balancer's own name in the network of the machines. As with AWS, connections come from the balancer's address, and go to
//! targets whose health check passes.
//!
//! What it does not show: an address in each zone and what happens when a zone fails, the minutes that AWS takes, connections to
//! targets when none is healthy (AWS lets them through, haproxy does not), and what moto only notes: security groups of a
//! balancer and attributes of a target group.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};

use super::account::Balancer;
use crate::images::docker::docker;
use crate::machine_container::{LABEL, PLAIN_IMAGE};

/// The last part of the first balancer's address, far above those that moto gives to instances.
const FIRST_ADDRESS: usize = 250;
const INSTALL: &str = "export DEBIAN_FRONTEND=noninteractive; \
    apt-get -qq update && apt-get -qq -y install --no-install-recommends haproxy";
/// Starts it, or lets one that runs read its configuration again.
const CONFIGURE: &str = "printf %s \"$CONFIGURATION\" > /etc/balancer.cfg; \
    if [ -e /run/balancer.pid ]; then kill -USR2 \"$(cat /run/balancer.pid)\"; \
    else haproxy -W -D -p /run/balancer.pid -f /etc/balancer.cfg; fi";

/// The containers of one network, as they were last made.
pub(super) struct Balancers {
    network: String,
    vpc_cidr: String,
    /// By balancer.
    configured: Mutex<HashMap<String, String>>,
}

impl Balancers {
    pub(super) fn new(network: &str, vpc_cidr: &str) -> Self {
        Self { network: network.to_owned(), vpc_cidr: vpc_cidr.to_owned(), configured: Mutex::default() }
    }

    /// Makes containers as balancers are.
    pub(super) async fn follow(&self, balancers: Vec<Balancer>) -> Result<()> {
        let there = containers(&self.network).await?;
        for (arn, container) in &there {
            if balancers.iter().all(|balancer| balancer.arn != *arn) {
                docker(&["rm", "-f", container]).await.with_context(|| format!("cannot remove {arn}"))?;
            }
        }
        // Somebody else's lead nowhere.
        let ours = balancers.iter().filter(|balancer| balancer.arn.contains("/muster-"));
        for (number, balancer) in ours.enumerate() {
            let container = match there.get(&balancer.arn) {
                Some(container) => container.clone(),
                None => self.boot(number, balancer).await?,
            };
            let wanted = configuration(balancer);
            if self.configured.lock().unwrap_or_else(PoisonError::into_inner).get(&balancer.arn) == Some(&wanted) {
                continue;
            }
            let variable = format!("CONFIGURATION={wanted}");
            docker(&["exec", "-e", &variable, &container, "sh", "-c", CONFIGURE]).await?;
            self.configured.lock().unwrap_or_else(PoisonError::into_inner).insert(balancer.arn.clone(), wanted);
        }
        Ok(())
    }

    async fn boot(&self, number: usize, balancer: &Balancer) -> Result<String> {
        let (label, own) = (format!("{LABEL}={}", self.network), format!("{LABEL}.balancer={}", balancer.arn));
        let address = self.vpc_cidr.replace(".0/24", &format!(".{}", FIRST_ADDRESS - number));
        let mut arguments = vec!["run", "-d", "--label", &label, "--label", &own, "--network", &self.network];
        arguments.extend(["--ip", &address, "--network-alias", &balancer.dns_name]);
        arguments.extend(["--entrypoint", "sleep", PLAIN_IMAGE, "infinity"]);
        let container = docker(&arguments).await.context("cannot boot a load balancer")?.trim().to_owned();
        if let Err(error) = docker(&["exec", &container, "sh", "-c", INSTALL]).await {
            docker(&["rm", "-f", &container]).await?;
            return Err(error.context("haproxy cannot be installed"));
        }
        Ok(container)
    }
}

/// The containers of a network that stand for balancers, by these.
pub(super) async fn containers(network: &str) -> Result<BTreeMap<String, String>> {
    let (of_network, kind) = (format!("label={LABEL}={network}"), format!("label={LABEL}.balancer"));
    let format = format!("{{{{.ID}}}} {{{{.Label \"{LABEL}.balancer\"}}}}");
    let filters = ["--filter", &of_network, "--filter", &kind];
    let listed = docker(&[&["ps", "-a", "--no-trunc"], &filters[..], &["--format", &format]].concat()).await?;
    let lines = listed.lines().filter_map(|line| line.split_once(' '));
    Ok(lines.map(|(container, arn)| (arn.to_owned(), container.to_owned())).collect())
}

fn configuration(balancer: &Balancer) -> String {
    let mut text =
        "global\n    maxconn 4000\ndefaults\n    mode tcp\n    timeout connect 3s\n    timeout client 1h\n    \
                    timeout server 1h\n    timeout check 3s\n"
            .to_owned();
    for (port, targets) in &balancer.targets {
        text.push_str(&format!(
            "frontend f{port}\n    bind *:{port}\n    default_backend b{port}\nbackend b{port}\n    option httpchk\n    \
             http-check send meth GET uri /readyz ver HTTP/1.1 hdr Host balancer\n    http-check expect status 200\n    \
             default-server check check-ssl verify none inter 1s rise 1 fall 2 on-marked-down shutdown-sessions\n"
        ));
        for target in targets {
            text.push_str(&format!("    server {target} {target}:{port}\n"));
        }
    }
    text
}
