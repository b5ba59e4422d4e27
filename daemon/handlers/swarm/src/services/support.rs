//! Which field of a service Docker Swarm honours. The page in the documentation is made from this table.

/// How far a field is honoured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Support {
    /// As it is written.
    Full,
    /// Only some of its values; the note says which.
    Partial,
    /// Refused with code `unsupported`.
    Refused,
}

impl Support {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "yes",
            Self::Partial => "partly",
            Self::Refused => "refused",
        }
    }
}

/// One field of a service.
pub struct Field {
    /// Its name, as in a service's YAML.
    pub name: &'static str,
    /// How far it is honoured.
    pub support: Support,
    /// What becomes of it in the swarm.
    pub note: &'static str,
}

const fn field(name: &'static str, support: Support, note: &'static str) -> Field {
    Field { name, support, note }
}

use Support::{Full, Partial, Refused};

/// Every field of a service, in the order of the model.
pub const FIELDS: &[Field] = &[
    field("name", Full, "the swarm service's name, and its DNS name on the cluster's overlay network `muster`"),
    field(
        "image",
        Full,
        "pulled by each node; the managers do not resolve it to a digest, so no registry is needed for images that are there",
    ),
    field("command", Full, ""),
    field("args", Full, ""),
    field("env", Full, ""),
    field("secrets", Partial, "swarm secrets, one object a version; 48 KiB in all; an empty value is refused"),
    field("secrets[].path", Full, "owner root, mode 0444"),
    field(
        "files",
        Partial,
        "swarm configs, named by their content; an empty file is refused; the whole service as it is asked for, with its files, has at most 28 KiB; owner root, mode 0444",
    ),
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

/// The page `docs/reference/support-swarm.md`.
pub fn page() -> String {
    let mut page = String::from(
        "# What Docker Swarm honours\n\n\
         <!-- Made from daemon/handlers/swarm/src/services/support.rs; run the crate's tests with UPDATE_DOCS=1 after a change. -->\n\n\
         A field that is refused answers with code `unsupported` and its name, before anything is changed.\n\n\
         | field | honoured | in the swarm |\n|---|---|---|\n",
    );
    for field in FIELDS {
        page.push_str(&format!("| `{}` | {} | {} |\n", field.name, field.support.as_str(), field.note));
    }
    page
}

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
            std::fs::write(&path, page()).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(written, page(), "run this test with UPDATE_DOCS=1");
    }

    #[test]
    fn every_field_of_the_model_is_in_the_table() {
        let model = serde_json::to_value(plain()).unwrap();
        for name in model.as_object().unwrap().keys() {
            let is_it = |field: &&Field| field.name.split(['.', '[', ':', ',']).next() == Some(name);
            assert!(FIELDS.iter().any(|field| is_it(&field)), "`{name}` is missing");
        }
    }
}
