//! The Docker Engine's configuration on a Swarm machine.

use muster_material::labels::IPVS;
use serde_json::json;

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

/// Where the engine listens. Here and not in `daemon.json`, because every distribution's unit gives `-H` already and the
/// engine refuses hosts that are given in both places.
pub(super) const UNIT_DROP_IN: &str = "\
# Written by Muster.
[Service]
ExecStart=
ExecStart=dockerd -H fd:// -H tcp://0.0.0.0:2376 --containerd=/run/containerd/containerd.sock
";

/// `daemon.json`, with the placeholder of the machine's gateway.
pub(super) fn daemon_json(options: &PreparerOptions) -> String {
    let config = json!({
        "tlsverify": true,
        "tlscacert": CA_PATH,
        "tlscert": CERTIFICATE_PATH,
        "tlskey": KEY_PATH,
        "registry-mirrors": options.registry_mirrors,
        "insecure-registries": options.insecure_registries,
        // Swarm mode refuses to live beside it.
        "live-restore": false,
        // What the handler has to know of the machine: whether the kernel can balance ingress ports.
        "labels": [format!("{IPVS}={IPVS_HERE}")],
        // Unlimited by default: one talkative service would fill the machine's disk. `local` would keep every byte as it was
        // written, but does not say where a line ends that was longer than its own pieces.
        "log-driver": "json-file",
        "log-opts": { "max-size": "10m", "max-file": "3" },
    });
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
        let config: serde_json::Value = serde_json::from_str(&daemon_json(&options)).unwrap();
        assert_eq!(config["tlsverify"], json!(true));
        assert_eq!(config["registry-mirrors"], json!(["http://{gateway}:5000"]));
        assert_eq!(config["insecure-registries"], json!(["{gateway}:5000", "registry.lan:5000"]));
    }
}
