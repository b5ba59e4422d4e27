//! The Docker Engine's configuration on a Swarm machine.

use serde_json::json;

use super::PreparerOptions;

pub(super) const CA_PATH: &str = "/etc/docker/muster/ca.pem";
pub(super) const CERTIFICATE_PATH: &str = "/etc/docker/muster/server-cert.pem";
pub(super) const KEY_PATH: &str = "/etc/docker/muster/server-key.pem";
pub(super) const DAEMON_PATH: &str = "/etc/docker/daemon.json";
pub(super) const UNIT_DROP_IN_PATH: &str = "/etc/systemd/system/docker.service.d/muster.conf";

/// What stands for the machine's default gateway in the options.
pub(super) const GATEWAY: &str = "{gateway}";

/// Where the engine listens. Here and not in `daemon.json`, because every distribution's unit gives `-H` already and the
/// engine refuses hosts that are given in both places.
pub(super) const UNIT_DROP_IN: &str = "\
# Written by Muster.
[Service]
ExecStart=
ExecStart=dockerd -H fd:// -H tcp://0.0.0.0:2376 --containerd=/run/containerd/containerd.sock
";

/// `daemon.json`. Without a gateway its placeholder stays, for the recipe's digest.
pub(super) fn daemon_json(options: &PreparerOptions, gateway: Option<&str>) -> String {
    let places = |values: &[String]| -> Vec<String> {
        values.iter().map(|value| value.replace(GATEWAY, gateway.unwrap_or(GATEWAY))).collect()
    };
    let config = json!({
        "tlsverify": true,
        "tlscacert": CA_PATH,
        "tlscert": CERTIFICATE_PATH,
        "tlskey": KEY_PATH,
        "registry-mirrors": places(&options.registry_mirrors),
        "insecure-registries": places(&options.insecure_registries),
        // Swarm mode refuses to live beside it.
        "live-restore": false,
        // Unlimited by default: one talkative service would fill the machine's disk.
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
    fn registries_are_found_at_the_machines_gateway() {
        let options = PreparerOptions {
            registry_mirrors: vec!["http://{gateway}:5000".to_owned()],
            insecure_registries: vec!["{gateway}:5000".to_owned(), "registry.lan:5000".to_owned()],
            ..PreparerOptions::default()
        };
        let config: serde_json::Value = serde_json::from_str(&daemon_json(&options, Some("10.213.0.1"))).unwrap();
        assert_eq!(config["registry-mirrors"], json!(["http://10.213.0.1:5000"]));
        assert_eq!(config["insecure-registries"], json!(["10.213.0.1:5000", "registry.lan:5000"]));
    }
}
