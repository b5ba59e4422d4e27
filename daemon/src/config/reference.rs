//! Every setting with its meaning: what `docs/reference/configuration.md` and `systemd/muster.toml` are made from.

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its key, with its section.
    pub key: &'static str,
    /// What it is when it is left out, if that is no fixed value.
    pub otherwise: Option<&'static str>,
    /// What it means.
    pub meaning: &'static str,
}

const fn setting(key: &'static str, meaning: &'static str) -> Setting {
    Setting { key, otherwise: None, meaning }
}

const fn optional(key: &'static str, otherwise: &'static str, meaning: &'static str) -> Setting {
    Setting { key, otherwise: Some(otherwise), meaning }
}

/// All settings, in the order in which they are shown.
pub const SETTINGS: &[Setting] = &[
    optional(
        "state_dir",
        "`/var/lib/muster`; for a plain user `~/.local/state/muster`",
        "Where everything lasting lies: the store with its exports, the sealing key, the simulated world. `--state-dir` goes before it. Under the shipped unit another place also needs `ReadWritePaths=` in a drop-in.",
    ),
    setting(
        "logins",
        "Logins at image registries, for the images of services, and at the mirrors that Kubernetes itself comes from: each is a table `[logins.\"HOST:PORT\"]` by the registry's name as images have it (`docker.io` for Docker Hub), with `user` and `password_file`. The file's first line is the password; a name without a folder is a systemd credential of the daemon's unit. It is read whenever it is needed. Every operator's services may use it.",
    ),
    optional(
        "socket.path",
        "`/run/muster/muster.sock`; for a plain user `$XDG_RUNTIME_DIR/muster/muster.sock`",
        "Where the daemon answers. `--socket` goes before it; a socket that systemd passes goes before both.",
    ),
    optional(
        "socket.group",
        "the daemon's own group",
        "The group whose members may connect. What they may do is said in `access`. For a socket that systemd passes, `SocketGroup=` in its unit says it instead.",
    ),
    setting("access.viewer.users", "Users, by name or number, who may look at everything but secrets."),
    setting("access.viewer.groups", "Groups whose members may look."),
    setting("access.operator.users", "Users who may create, change and remove clusters and services."),
    setting("access.operator.groups", "Groups whose members may do so."),
    setting(
        "access.admin.users",
        "Users who may also handle accounts with their credentials and tokens, and look at the audit trail. Root and the daemon's own user always may.",
    ),
    setting("access.admin.groups", "Groups whose members may do so."),
    setting(
        "access.trusted",
        "Users, by name or number, who may speak for others, as the HTTP bridge does. The holder of a token has the token's role; any other principal has theirs, or a lower one that `users` of a role gives it by kind and name, as in `certificate:ci`. Nobody has a higher role than they have.",
    ),
    setting(
        "policy.bind",
        "Paths of machines that services of operators may bind, with all that lies below them; `/` for any. Administrators may bind any, and so may templates with a grant of their own (`grants.bind` in the template's file).",
    ),
    setting(
        "policy.images",
        "Machine images that operators may choose beside the default one; a `*` at the end stands for anything. Administrators may choose any.",
    ),
    setting(
        "store.export_interval_minutes",
        "How often the store is copied to a verified plain file in `STATE_DIR/store/exports`; 0 for never.",
    ),
    setting("store.exports_kept", "How many of these files are kept."),
    setting("store.cache_mib", "Memory for the store's pages, in MiB."),
    setting(
        "store.accept_older_export",
        "Start with the newest export when the store is damaged beyond repair, although what came after it is lost. Set it for one start only.",
    ),
    setting(
        "store.accept_unwitnessed",
        "Start with an intact database whose witness file is missing, although it may be an older copy. Set it for one start only.",
    ),
    optional(
        "store.key_file",
        "the systemd credential `muster-key`, if there is one, else `STATE_DIR/sealing.key`",
        "The file of 32 bytes that secrets are sealed under. It is made at the first start. Under the shipped unit another place also needs `ReadWritePaths=` in a drop-in.",
    ),
    setting("history.events_kept", "How many events are kept; a few dozen more may be, for they go in chunks."),
    setting("history.events_days", "For how many days events are kept at most."),
    setting(
        "history.operations_kept",
        "How many ended operations are kept. Those of the last day are kept too, as long as they are no more than 100,000.",
    ),
    setting(
        "upgrade.adopt",
        "When clusters adopt the recipe of a newer release of Muster: `asked`, by `muster cluster upgrade` only, or `auto`, by themselves as soon as they are ready. A cluster never changes the orchestrator's version by itself.",
    ),
    setting(
        "upgrade.clusters_at_once",
        "How many clusters of the whole fleet adopt at once with `auto`. While one of them has failed at it, no further one begins.",
    ),
    setting(
        "audit.records_kept",
        "How many records of the audit trail are kept. Older ones go every ten minutes; the chain of hashes goes on over them.",
    ),
    setting(
        "log.level",
        "What is logged: `error`, `warn`, `info`, `debug` or `trace`, also by part, as in `info,musterd::gateway=debug`. MUSTER_LOG goes before it.",
    ),
    setting(
        "log.format",
        "How: `text` for people, `json` for machines, `journal` for text without times, which journald adds.",
    ),
    setting("limits.sessions", "Connections at once."),
    setting("limits.sessions_per_user", "Connections of one user at once."),
    setting("limits.requests_per_session", "Requests that one connection may have under way."),
    setting(
        "limits.changes_per_user",
        "Changes that one user may have under way, on all connections and after they were closed. A token is a user of its own.",
    ),
    setting("limits.changes_per_cluster", "Changes of one cluster that may wait to be admitted."),
    setting("limits.calls_per_cluster", "Calls to infrastructure and orchestrator under way for one cluster."),
    setting(
        "limits.calls_per_account",
        "Calls to the infrastructure under way for one account. One that takes longer than 10 s gives its place to another; of such, four times as many may be under way beside.",
    ),
    setting("limits.handshake_ms", "Within how many milliseconds a new connection must have said hello."),
    setting(
        "limits.frame_ms",
        "Within how many milliseconds a message that has begun must have come, and one that is sent must be taken.",
    ),
    setting(
        "limits.idle_ms",
        "After how many milliseconds a connection is closed on which nothing is asked for and nothing is under way.",
    ),
    setting(
        "limits.read_ms",
        "Within how many milliseconds a request that changes nothing is answered, or refused with `deadline-exceeded`.",
    ),
    setting(
        "limits.change_ms",
        "The same for a request that changes something: until the change is on disk, not until it is done.",
    ),
    setting("limits.look_when_busy_ms", "Milliseconds between two looks at a cluster in which something is awaited."),
    setting("limits.look_when_idle_ms", "Milliseconds between two looks at a cluster in which all is well."),
    setting("limits.drain_ms", "How many milliseconds a shutdown waits for calls under way."),
    setting("deadlines.cluster_minutes", "Minutes that an operation on a cluster may take, but for its removal."),
    setting(
        "deadlines.removal_minutes",
        "Minutes that a removal may take. Then the cluster counts as released, and what may be left is listed and worked off further.",
    ),
    setting(
        "deadlines.first_service_minutes",
        "Minutes that a service may take on a cluster that is not ready yet, and to be removed.",
    ),
    setting(
        "deadlines.infrastructure_call_minutes",
        "Minutes for one call that makes, starts or removes a network or machine.",
    ),
    setting("deadlines.preparation_minutes", "Minutes for one preparation of a machine."),
    setting("deadlines.orchestrator_call_minutes", "Minutes for one call to an orchestrator."),
    setting(
        "deadlines.service_hold_ms",
        "For how many milliseconds the copies of another version of a service must have run before it counts as good, and its change as done.",
    ),
    optional(
        "catalog.dir",
        "`/etc/muster/templates`; for a plain user `~/.config/muster/templates`",
        "The folder of your own templates, beside the built-in ones.",
    ),
    setting("local.docker_socket", "The Docker Engine's socket for infrastructure `local`."),
    optional("local.image", "Muster's own image", "The image of machines that ask for none."),
    setting(
        "local.plain",
        "Whether Muster's own image is the plain one, on which the orchestrator's packages are installed from the network.",
    ),
    setting(
        "local.request_limit_ms",
        "Within how many milliseconds the Docker Engine must answer one request: at least 1000, and counted in whole seconds.",
    ),
    setting(
        "preparation.registry_mirrors",
        "Registries that engines on machines ask before Docker Hub, as URLs. `{gateway}` stands for the machine's default gateway.",
    ),
    setting(
        "preparation.insecure_registries",
        "Registries, as HOST:PORT, that engines on machines may reach without TLS. `{gateway}` as above.",
    ),
    setting("preparation.boot_limit_ms", "Within how many milliseconds a new machine must answer by SSH."),
    setting(
        "kubernetes.options",
        "Defaults of the options of Kubernetes clusters, by name: `packageRepository`, `imageRepository` and the like.",
    ),
    setting(
        "sim.persistent",
        "Whether the simulated world is kept in `STATE_DIR/sim.world`, so that it outlives the daemon as a real one would.",
    ),
    setting("sim.rollout_ms", "Milliseconds until the copies of a simulated service are up."),
    setting("sim.step_ms", "Milliseconds that a step on a simulated machine takes."),
];

/// The page for users.
pub fn page() -> String {
    let defaults = defaults();
    let mut page = String::from(PAGE_HEAD);
    let mut section = None;
    for Setting { key, otherwise, meaning } in SETTINGS {
        let this = key.rsplit_once('.').map_or("", |(section, _)| section);
        if section != Some(this) {
            let title = if this.is_empty() { "At the top".to_owned() } else { format!("`[{this}]`") };
            page.push_str(&format!("\n## {title}\n\n| key | default | meaning |\n|---|---|---|\n"));
            section = Some(this);
        }
        let name = key.rsplit('.').next().unwrap_or(key);
        let default = otherwise.map_or_else(|| format!("`{}`", value(&defaults, key)), str::to_owned);
        page.push_str(&format!("| `{name}` | {default} | {meaning} |\n"));
    }
    page
}

const PAGE_HEAD: &str = "# Configuration

`musterd` reads one TOML file: the one that `--config` names, else `/etc/muster/muster.toml`, for a plain user
`~/.config/muster/muster.toml`. Without a file everything has its default. An unknown key is refused, with the nearest known one.
`musterd --check-config` says whether a file is good.

This page is made from the code (`daemon/src/config/reference.rs`); a test sees that it is current.

## Flags

| flag | variable | meaning |
|---|---|---|
| `--config FILE` | `MUSTER_CONFIG` | The configuration file. One that is named must exist. |
| `--state-dir DIR` | | Goes before `state_dir`. |
| `--socket PATH` | | Goes before `socket.path`. |
| `--check-config` | | Says whether the configuration is good, and ends: with 0, or with 1 and the reason. |
| `--version`, `--help` | | Say so, and end. |
| | `MUSTER_LOG` | Goes before `log.level`. |

| command | meaning |
|---|---|
| `musterd backup FILE` | Writes all of the store of a stopped daemon to one checked file. The sealing key is not in it. |
| `musterd restore FILE` | Builds the store of a stopped daemon from such a file or an export; `--replace` puts one that is there aside. |
| `musterd rotate-key` | Gives the store of a stopped daemon a new sealing key, and seals all secrets under it. |
| `musterd recover` | Lists what carries owner marks, by installation, when the database is lost. `--instance ID` shows what becomes of one's clusters, `--yes` has them become that. |

SIGTERM and SIGINT stop the daemon in good order: it accepts nothing more, tells streams that it stops, lets calls under way end for
`limits.drain_ms`, and closes the store. It ends with 0 then. A second one, or a part that fails, ends it at once and with 1, which is
as safe: what is under way is looked up at the next start.
";

/// The file that is installed: every setting, as a comment, with its default.
pub fn sample() -> String {
    let defaults = defaults();
    let mut sample = String::from(
        "# Muster's configuration. Every setting is here with its default, as a comment.\n\
         # docs/reference/configuration.md is the same as a page; `musterd --check-config` checks a file.\n",
    );
    let mut section = None;
    for Setting { key, otherwise, meaning } in SETTINGS {
        let this = key.rsplit_once('.').map_or("", |(section, _)| section);
        if section != Some(this) {
            if !this.is_empty() {
                sample.push_str(&format!("\n[{this}]\n"));
            }
            section = Some(this);
        }
        let name = key.rsplit('.').next().unwrap_or(key);
        sample.push_str(&format!("# {meaning}\n"));
        match otherwise {
            Some(otherwise) => sample.push_str(&format!("# Without it: {otherwise}.\n# {name} = \"\"\n")),
            None => sample.push_str(&format!("# {name} = {}\n", value(&defaults, key))),
        }
    }
    sample
}

fn defaults() -> toml::Table {
    toml::Table::try_from(super::Config::default()).unwrap_or_default()
}

fn value(defaults: &toml::Table, key: &str) -> String {
    let mut parts = key.split('.');
    let mut value = parts.next().and_then(|part| defaults.get(part));
    for part in parts {
        value = value.and_then(|value| value.get(part));
    }
    value.map_or_else(|| "none".to_owned(), toml::Value::to_string)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::config::Config;
    use crate::reference::assert_current;

    /// With everything set that may be left out.
    fn full() -> toml::Table {
        let mut config = Config { state_dir: Some("x".into()), ..Config::default() };
        config.socket.path = Some("x".into());
        config.socket.group = Some("x".into());
        config.store.key_file = Some("x".into());
        config.catalog.dir = Some("x".into());
        config.local.image = Some("x".into());
        toml::Table::try_from(config).unwrap()
    }

    fn keys(table: &toml::Table, prefix: &str, found: &mut BTreeSet<String>) {
        for (name, value) in table {
            let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            // An empty table is a setting whose names are the user's own.
            match value.as_table().filter(|inner| !inner.is_empty()) {
                Some(inner) => keys(inner, &key, found),
                None => {
                    found.insert(key);
                }
            }
        }
    }

    #[test]
    fn every_setting_is_described_and_nothing_else_is() {
        let mut found = BTreeSet::new();
        keys(&full(), "", &mut found);
        let described: BTreeSet<String> = SETTINGS.iter().map(|setting| setting.key.to_owned()).collect();
        assert_eq!(found, described);
    }

    #[test]
    fn the_page_for_users_is_current() {
        assert_current("docs/reference/configuration.md", &page());
    }

    #[test]
    fn the_installed_file_is_current_and_says_what_is_so_anyway() {
        assert_current("systemd/muster.toml", &sample());
        assert_eq!(Config::parse(&sample(), Path::new("x")).unwrap(), Config::default());
        // Its values too, where they stand as comments.
        let uncommented: String = sample()
            .lines()
            .filter(|line| !line.ends_with("= \"\""))
            .map(|line| match line.strip_prefix("# ") {
                Some(setting) if setting.split_once(" = ").is_some_and(|(name, _)| !name.contains(' ')) => setting,
                Some(_) => "",
                None => line,
            })
            .flat_map(|line| [line, "\n"])
            .collect();
        assert_eq!(Config::parse(&uncommented, Path::new("x")).unwrap(), Config::default());
    }
}
