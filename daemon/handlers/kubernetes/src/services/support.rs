//! Which field of a service Kubernetes honours. The page in the documentation is made from this table.

use muster_engine::support::Support::{Full, Partial, Refused};
use muster_engine::support::{FieldSupport, SupportTable, field};

/// What is honoured of a service, and how.
pub const TABLE: SupportTable = SupportTable {
    orchestrator: "Kubernetes",
    place: "the cluster",
    source: "daemon/handlers/kubernetes/src/services/support.rs",
    fields: FIELDS,
};

/// Every field of a service, in the order of the model.
const FIELDS: &[FieldSupport] = &[
    field("name", Full, "the Deployment, DaemonSet or Job, and the Service, in the namespace `muster`"),
    field(
        "image",
        Full,
        "the daemon resolves the tag once for each submission, and every copy runs that digest; if the registry does not answer it within 5 s, or `imageDigests` is `none`, the tag is submitted and each node resolves it",
    ),
    field("command", Full, "byte for byte: `$(NAME)` is not replaced"),
    field("args", Full, "byte for byte: `$(NAME)` is not replaced"),
    field("env", Full, "byte for byte: `$(NAME)` is not replaced; no variables of other services are added"),
    field("secrets", Full, "one Secret a version, mounted file by file"),
    field("secrets[].path", Full, ""),
    field("secrets[].mode, files[].mode", Full, "0444 if left out"),
    field("secrets[].uid, gid, files[].uid, gid", Refused, "mounted files are root's"),
    field("files", Full, "one ConfigMap a content, mounted file by file"),
    field("mode: replicated", Full, "a Deployment"),
    field("mode: global", Full, "a DaemonSet: one copy on each node, control planes among them"),
    field("mode: job", Full, "an indexed Job a generation; a copy that fails is started again 3 times"),
    field("mode, of a service that is there", Full, "the workload of the earlier mode is removed"),
    field("replicas", Full, ""),
    field(
        "resources",
        Full,
        "requests and limits; what is not asked to be kept is requested as 0, not as much as the limit",
    ),
    field(
        "ports[].exposure: cluster",
        Full,
        "the Service `NAME`; a service without ports resolves to its copies' own addresses",
    ),
    field("ports[].exposure: host", Full, "a host port of the pod, on the machines that run a copy"),
    field("ports[].exposure: ingress", Full, "a Service of type NodePort, on every machine"),
    field(
        "ports[].published",
        Partial,
        "for `ingress` from 30000 to 32767, chosen by Kubernetes if left out; for `host` not a number that the cluster needs, chosen by Muster from 20000 to 29999 if left out",
    ),
    field("ports, one port twice", Refused, "the same port of the container cannot be published twice in the same way"),
    field(
        "mounts: volume",
        Full,
        "a directory of the machine under `/var/lib/muster/volumes`: local to each machine, kept when copies go, made anew where it is not",
    ),
    field("mounts: bind", Full, "a path of the machine; one that is not there is made as a directory"),
    field("mounts: tmpfs", Full, "memory that is gone with the pod"),
    field(
        "allowEmptyVolume",
        Full,
        "if not, the service goes only where its copies have run with its volumes before: nodes are labelled `io.muster.volume/NAME` when a copy runs. A node that is gone is waited for. Not for `global`",
    ),
    field("user", Partial, "numbers only, up to 2147483647; without a group it is root's"),
    field("init", Full, "the pod's own process 1: the pod's processes share one process namespace"),
    field("stopSignal", Refused, "behind a feature gate; the image's own is used"),
    field("stopGraceMs", Full, "10 s if left out; rounded up to seconds; then the copy is killed, which is an event"),
    field("health: none", Full, "no probe, as if `health` is left out: Kubernetes never runs the image's own check"),
    field(
        "health",
        Full,
        "a startup probe until it passes first, then a liveness probe; times are rounded up to seconds",
    ),
    field("constraints: role, host", Full, "by the nodes' labels; without one on the role, copies prefer workers"),
    field("constraints: label", Full, "labels of the nodes, letters compare with case"),
    field(
        "update.parallelism, order",
        Full,
        "how many copies may be too few (`stop-first`) or too many (`start-first`); not used for jobs",
    ),
    field("update.delayMs", Full, "how long a new copy must be ready before it counts, rounded up to seconds"),
    field("update.deadlineMs", Full, "kept by Muster"),
    field("labels", Full, "labels of the workload; annotations, if Kubernetes does not take the value as a label's"),
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::fixtures::plain;

    fn documented() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/reference/support-kubernetes.md")
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
