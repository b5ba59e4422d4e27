//! The Docker Engine's configuration on a Swarm machine.

use muster_material::labels::{IPVS, MTU};
use muster_material::networks::{Networks, TAKEN};
use serde_json::{Value, json};

use super::PreparerOptions;

pub(super) const CA_PATH: &str = "/etc/docker/muster/ca.pem";
/// Which authorities engines trust. Part of the recipe's name, so that machines of an earlier one are offered this one.
pub(super) const TRUSTED: &str = "the cluster's and people's";
pub(super) const CERTIFICATE_PATH: &str = "/etc/docker/muster/server-cert.pem";
pub(super) const KEY_PATH: &str = "/etc/docker/muster/server-key.pem";
/// Where the other files wait for the script that puts them in place.
pub(super) const STAGED: &str = "/etc/muster/staged";

/// What stands for the machine's default gateway in the options.
pub(super) const GATEWAY: &str = "{gateway}";

/// What stands for whether the kernel of the machine has IPVS: `yes` or `no`.
const IPVS_HERE: &str = "{ipvs}";

/// What stands for the largest packet of the machine's network.
const MTU_HERE: &str = "{mtu}";

/// Where the engine listens. Here and not in `daemon.json`, because every distribution's unit gives `-H` already and the
/// engine refuses hosts that are given in both places.
pub(super) const UNIT_DROP_IN: &str = "\
# Written by Muster.
[Service]
ExecStart=
ExecStart=dockerd -H fd:// -H tcp://0.0.0.0:2376 --containerd=/run/containerd/containerd.sock
";

/// `daemon.json`, with placeholders for what the machine itself knows.
pub(super) fn daemon_json(options: &PreparerOptions, networks: &Networks) -> String {
    let mtu = networks.mtu.map_or_else(|| MTU_HERE.to_owned(), |mtu| mtu.to_string());
    let mut config = json!({
        "tlsverify": true,
        "tlscacert": CA_PATH,
        "tlscert": CERTIFICATE_PATH,
        "tlskey": KEY_PATH,
        "registry-mirrors": options.registry_mirrors,
        "insecure-registries": options.insecure_registries,
        // Swarm mode refuses to live beside it.
        "live-restore": false,
        // What the handler has to know of the machine: whether the kernel can balance ingress ports, and how large a packet
        // may be that goes to another machine.
        "labels": [format!("{IPVS}={IPVS_HERE}"), format!("{MTU}={mtu}")],
        // Unlimited by default: one talkative service would fill the machine's disk. `local` would keep every byte as it was
        // written, but does not say where a line ends that was longer than its own pieces.
        "log-driver": "json-file",
        "log-opts": { "max-size": "10m", "max-file": "3" },
    });
    if !networks.engine_address_pools.is_empty() {
        let pools = networks.engine_address_pools.iter();
        let pools: Vec<Value> = pools.map(|pool| json!({ "base": pool.to_string(), "size": TAKEN })).collect();
        config["default-address-pools"] = pools.into();
    }
    format!("{config:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swarm::ENGINE_PORT;

    #[test]
    fn the_unit_listens_where_the_handler_will_ask() {
        assert!(UNIT_DROP_IN.contains(&format!("tcp://0.0.0.0:{ENGINE_PORT} ")));
    }

    #[test]
    fn the_engine_trusts_the_clusters_authority_only_and_keeps_its_registries() {
        let options = PreparerOptions {
            registry_mirrors: vec!["http://{gateway}:5000".to_owned()],
            insecure_registries: vec!["{gateway}:5000".to_owned(), "registry.lan:5000".to_owned()],
            ..PreparerOptions::default()
        };
        let config: serde_json::Value = serde_json::from_str(&daemon_json(&options, &Networks::default())).unwrap();
        assert_eq!(config["tlsverify"], json!(true));
        assert_eq!(config["registry-mirrors"], json!(["http://{gateway}:5000"]));
        assert_eq!(config["insecure-registries"], json!(["{gateway}:5000", "registry.lan:5000"]));
        assert_eq!(config["labels"], json!(["io.muster.ipvs={ipvs}", "io.muster.mtu={mtu}"]));
        assert_eq!(config["default-address-pools"], json!(null));
    }

    #[test]
    fn the_engines_own_networks_are_taken_from_the_pools_that_are_given() {
        let networks = Networks {
            engine_address_pools: vec!["10.60.0.0/16".parse().unwrap()],
            mtu: Some(1400),
            ..Networks::default()
        };
        let config = daemon_json(&PreparerOptions::default(), &networks);
        let config: serde_json::Value = serde_json::from_str(&config).unwrap();
        assert_eq!(config["default-address-pools"], json!([{ "base": "10.60.0.0/16", "size": 24 }]));
        assert_eq!(config["labels"], json!(["io.muster.ipvs={ipvs}", "io.muster.mtu=1400"]));
    }
}
