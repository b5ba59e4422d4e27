//! Which field of a service Docker Swarm honours. The page in the documentation is made from this table.

use muster_engine::support::Support::{Full, Partial, Refused};
use muster_engine::support::{FieldSupport, SupportTable, field};

/// What is honoured of a service, and how.
pub const TABLE: SupportTable = SupportTable {
    orchestrator: "Docker Swarm",
    place: "the swarm",
    source: "daemon/handlers/swarm/src/services/support.rs",
    fields: FIELDS,
};

/// Every field of a service, in the order of the model.
const FIELDS: &[FieldSupport] = &[
    field("name", Full, "the swarm service's name, and its DNS name on the cluster's overlay network `muster`"),
    field(
        "image",
        Full,
        "a manager resolves the tag once for each submission, and every copy runs that digest; if the registry does not answer within 10 s, the tag is submitted and each node resolves it: no registry is needed for images that are there",
    ),
    field("command", Full, ""),
    field("args", Full, ""),
    field("env", Full, ""),
    field("secrets", Partial, "swarm secrets, one object a version; 48 KiB in all; an empty value is refused"),
    field("secrets[].path", Full, ""),
    field("secrets[].mode, uid, gid", Full, "root's and 0444 if left out"),
    field(
        "files",
        Partial,
        "swarm configs, named by their content; an empty file is refused; the whole service as it is asked for, with its files, has at most 28 KiB",
    ),
    field("files[].mode, uid, gid", Full, "root's and 0444 if left out"),
    field("mode: replicated", Full, ""),
    field("mode: global", Full, "one copy on each node that is up and not drained"),
    field(
        "mode: job",
        Full,
        "a replicated job; a copy that fails is tried again 3 times. Needs Docker Engine 20.10 or newer",
    ),
    field(
        "mode, of a service that is there",
        Refused,
        "swarm cannot change it; delete the service and create it again",
    ),
    field("replicas", Full, ""),
    field("resources", Full, ""),
    field(
        "ports[].exposure: cluster",
        Full,
        "every port of a service is reached by its name from services of the cluster",
    ),
    field("ports[].exposure: host", Full, "published on the machines that run a copy"),
    field(
        "ports[].exposure: ingress",
        Full,
        "published on every machine by the routing mesh; the machines' kernels need IPVS",
    ),
    field("ports[].published", Full, "chosen by the engine if left out"),
    field("mounts", Full, "volumes are local to each machine; their names have at least two characters"),
    field(
        "allowEmptyVolume",
        Full,
        "if not, the service goes only where its copies have run with its volumes before: nodes are labelled `io.muster.volume.NAME` seconds after a copy runs. A node that is gone is waited for",
    ),
    field("user", Full, "names are those of the image"),
    field("init", Full, "the engine's own process 1"),
    field("stopSignal", Full, "the image's own if left out"),
    field("stopGraceMs", Full, "10 s if left out; rounded up to seconds; then the copy is killed, which is an event"),
    field(
        "health: none",
        Full,
        "switches the image's own check off; if `health` is left out, the engine runs that one",
    ),
    field("health.probe.command", Full, "not for jobs"),
    field("health.probe.http", Refused, "use a command that is in the image"),
    field("health.probe.tcp", Refused, "use a command that is in the image"),
    field("constraints: role, host", Full, "values take the characters that swarm takes; letters compare without case"),
    field(
        "constraints: label",
        Full,
        "labels of the swarm's node, put there with `docker node update --label-add`; Muster puts only its own",
    ),
    field("update.parallelism, delayMs, order", Full, "not used for jobs; a copy that fails stops the change"),
    field("update.deadlineMs", Full, "kept by Muster, not by the swarm"),
    field("labels", Full, "beside Muster's own, which begin with `io.muster.`"),
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::fixtures::plain;

    fn documented() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/reference/support-swarm.md")
    }

    #[test]
    fn the_page_in_the_documentation_is_current() {
        let path = documented();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, TABLE.page()).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(written, TABLE.page(), "run this test with UPDATE_DOCS=1");
    }

    #[test]
    fn every_field_of_the_model_is_in_the_table() {
        let model = serde_json::to_value(plain()).unwrap();
        for name in model.as_object().unwrap().keys() {
            assert!(TABLE.has(name), "`{name}` is missing");
        }
    }
}
