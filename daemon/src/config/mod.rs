//! The daemon's configuration: one TOML file, defaults for all that it leaves out, and a few flags that go before it.
//!
//! Keys name their units. An unknown key or word is refused, with the nearest one that is known: a setting that is
//! silently ignored is worse than a daemon that does not start.

mod into;
mod nearest;
mod places;
pub mod reference;
mod sections;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use muster_engine::login;
pub use places::Places;
pub use sections::{
    AccessConfig, Adopt, Audit, Catalog, Deadlines, Format, History, Kubernetes, Limits, Local, Log, LoginConfig,
    PolicyConfig, Preparation, Role, Sim, Socket, Store, Upgrade,
};

/// Everything that can be configured.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where everything lasting lies; the usual place if none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_dir: Option<PathBuf>,
    /// Where the daemon answers.
    pub socket: Socket,
    /// Who may do what.
    pub access: AccessConfig,
    /// What operators may do on the machines themselves.
    pub policy: PolicyConfig,
    /// The store.
    pub store: Store,
    /// How long history is kept.
    pub history: History,
    /// Adoption of newer recipes.
    pub upgrade: Upgrade,
    /// The audit trail.
    pub audit: Audit,
    /// Logging.
    pub log: Log,
    /// How much is let in and done at once.
    pub limits: Limits,
    /// How long things may take.
    pub deadlines: Deadlines,
    /// The catalog.
    pub catalog: Catalog,
    /// Machines on the local Docker Engine.
    pub local: Local,
    /// Preparation of machines.
    pub preparation: Preparation,
    /// Logins at image registries, by the registry as images name it.
    pub logins: BTreeMap<String, LoginConfig>,
    /// Kubernetes clusters.
    pub kubernetes: Kubernetes,
    /// The simulated twins.
    pub sim: Sim,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// It is not what it should be.
    #[error("{}{line}: {message}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Where, as `:LINE`; empty if it is not known.
        line: String,
        /// What is wrong, and what was meant perhaps.
        message: String,
    },
}

impl Config {
    /// Where the daemon keeps its state: here, or else at its usual place.
    pub fn state_dir_or_usual(&self, places: &Places) -> PathBuf {
        self.state_dir.clone().unwrap_or_else(|| places.state_dir.clone())
    }

    /// Reads a configuration file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    /// Reads a configuration; `path` is for errors.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let content = |line, message| ConfigError::Content { path: path.to_owned(), line, message };
        let config: Self = toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| format!(":{}", 1 + text[..span.start].matches('\n').count()));
            content(line.unwrap_or_default(), nearest::explain(error.message()))
        })?;
        config.check().map_err(|message| content(String::new(), message))?;
        Ok(config)
    }

    /// What the types alone do not say.
    fn check(&self) -> Result<(), String> {
        let limits = &self.limits;
        for (key, value) in [
            ("limits.sessions", limits.sessions),
            ("limits.sessions_per_user", limits.sessions_per_user),
            ("limits.requests_per_session", limits.requests_per_session),
            ("limits.changes_per_user", limits.changes_per_user),
            ("limits.changes_per_cluster", limits.changes_per_cluster),
            ("limits.calls_per_cluster", limits.calls_per_cluster),
            ("limits.calls_per_account", limits.calls_per_account),
            ("store.exports_kept", self.store.exports_kept),
        ] {
            at_least(key, value as u64, 1)?;
        }
        let deadlines = &self.deadlines;
        for (key, value) in [
            ("history.events_days", self.history.events_days),
            ("audit.records_kept", self.audit.records_kept),
            ("limits.handshake_ms", limits.handshake_ms),
            ("limits.frame_ms", limits.frame_ms),
            ("limits.idle_ms", limits.idle_ms),
            ("limits.read_ms", limits.read_ms),
            ("limits.change_ms", limits.change_ms),
            ("limits.look_when_busy_ms", limits.look_when_busy_ms),
            ("limits.look_when_idle_ms", limits.look_when_idle_ms),
            ("deadlines.cluster_minutes", deadlines.cluster_minutes),
            ("deadlines.removal_minutes", deadlines.removal_minutes),
            ("deadlines.first_service_minutes", deadlines.first_service_minutes),
            ("deadlines.infrastructure_call_minutes", deadlines.infrastructure_call_minutes),
            ("deadlines.preparation_minutes", deadlines.preparation_minutes),
            ("deadlines.orchestrator_call_minutes", deadlines.orchestrator_call_minutes),
            ("preparation.boot_limit_ms", self.preparation.boot_limit_ms),
        ] {
            at_least(key, value, 1)?;
        }
        // The client of the Docker Engine counts whole seconds.
        at_least("local.request_limit_ms", self.local.request_limit_ms, 1000)?;
        self.logins.keys().try_for_each(|registry| as_images_name_it(registry))?;
        tracing_subscriber::EnvFilter::try_new(&self.log.level)
            .map_err(|error| format!("`log.level`: {error}; use for example `info` or `info,musterd=debug`"))?;
        Ok(())
    }
}

fn at_least(key: &str, value: u64, least: u64) -> Result<(), String> {
    if value < least { Err(format!("`{key}` is {value}; it must be at least {least}")) } else { Ok(()) }
}

/// A login under a name that no image has would never be used.
fn as_images_name_it(registry: &str) -> Result<(), String> {
    if registry == login::registry_of(&format!("{registry}/image")) {
        return Ok(());
    }
    Err(format!(
        "`logins`: `{registry}` is no registry; write it as images name it, `HOST` or `HOST:PORT`, and `docker.io` for Docker Hub"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Config::parse(text, Path::new("muster.toml")).unwrap_err().to_string()
    }

    #[test]
    fn an_empty_file_is_the_defaults() {
        assert_eq!(Config::parse("", Path::new("x")).unwrap(), Config::default());
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest_one_of_its_section_and_the_line() {
        let error = refused("[socket]\ngruop = \"muster\"\n");
        assert!(error.starts_with("muster.toml:2: "), "{error}");
        assert!(error.contains("`gruop`") && error.contains("did you mean `group`?"), "{error}");
        let nested = refused("[access.operator]\nuser = []\n");
        assert!(nested.contains("did you mean `users`?"), "{nested}");
        assert!(refused("[soket]\n").contains("did you mean `socket`?"));
    }

    #[test]
    fn a_key_in_the_wrong_place_is_shown_its_right_place() {
        let error = refused("docker_socket = \"/x\"\n");
        assert!(error.contains("`local.docker_socket`"), "{error}");
    }

    #[test]
    fn an_unknown_word_is_refused_with_the_nearest_one() {
        let error = refused("[log]\nformat = \"jsno\"\n");
        assert!(error.contains("did you mean `json`?"), "{error}");
    }

    #[test]
    fn numbers_and_filters_that_cannot_work_are_refused_by_name() {
        assert!(refused("[limits]\nsessions = 0\n").contains("limits.sessions"));
        assert!(refused("[log]\nlevel = \"a=b=c\"\n").contains("log.level"));
    }

    #[test]
    fn a_login_at_what_no_image_names_is_refused() {
        let login = |registry| format!("[logins.\"{registry}\"]\nuser = \"ci\"\npassword_file = \"/x\"\n");
        for registry in ["docker.io", "registry.lan:5000", "10.0.0.1"] {
            assert!(Config::parse(&login(registry), Path::new("muster.toml")).is_ok(), "{registry}");
        }
        for registry in ["https://registry.lan", "registry.lan/team", "index.docker.io", "hub"] {
            let error = refused(&login(registry));
            assert!(error.contains(&format!("`{registry}` is no registry")), "{error}");
        }
        assert!(refused("[logins.\"registry.lan\"]\nuser = \"ci\"\n").contains("password_file"));
    }

    #[test]
    fn a_time_within_which_nothing_can_be_done_is_refused() {
        for (section, key) in [
            ("history", "events_days"),
            ("limits", "read_ms"),
            ("limits", "look_when_busy_ms"),
            ("deadlines", "cluster_minutes"),
            ("preparation", "boot_limit_ms"),
        ] {
            let error = refused(&format!("[{section}]\n{key} = 0\n"));
            assert!(error.contains(&format!("`{section}.{key}` is 0; it must be at least 1")), "{error}");
        }
        assert!(refused("[local]\nrequest_limit_ms = 999\n").contains("at least 1000"));
    }

    #[test]
    fn a_time_that_may_be_nothing_is_taken() {
        let text = "[store]\nexport_interval_minutes = 0\n[limits]\ndrain_ms = 0\n[sim]\nrollout_ms = 0\n";
        assert!(Config::parse(text, Path::new("muster.toml")).is_ok());
    }
}
