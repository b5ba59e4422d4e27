//! Where things lie if nothing else is said: for root and services the system's places, for a plain user their own.

use std::env;
use std::path::PathBuf;

/// The usual places of one user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Places {
    /// The configuration file, if there is one.
    pub config: PathBuf,
    /// Everything lasting.
    pub state_dir: PathBuf,
    /// The socket: the same that clients look for.
    pub socket: PathBuf,
    /// The user's own templates.
    pub catalog: PathBuf,
}

impl Places {
    /// The places of the user that this process runs as, but for those that systemd has prepared for it.
    pub fn of_this_user() -> Self {
        let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let usual = if rustix::process::geteuid().is_root() {
            Self::of_system()
        } else {
            Self::of_user(
                set("HOME").unwrap_or_default(),
                set("XDG_RUNTIME_DIR"),
                set("XDG_STATE_HOME"),
                set("XDG_CONFIG_HOME"),
            )
        };
        usual.with_those_of_a_unit(set("STATE_DIRECTORY"), set("CONFIGURATION_DIRECTORY"))
    }

    /// The system's places.
    pub fn of_system() -> Self {
        Self {
            config: "/etc/muster/muster.toml".into(),
            state_dir: "/var/lib/muster".into(),
            socket: "/run/muster/muster.sock".into(),
            catalog: "/etc/muster/templates".into(),
        }
    }

    /// What systemd says about `StateDirectory=` and `ConfigurationDirectory=` of the unit (systemd.exec(5)). So the system's
    /// daemon finds its places although it runs as a user of its own.
    fn with_those_of_a_unit(self, state: Option<PathBuf>, configuration: Option<PathBuf>) -> Self {
        Self {
            config: configuration.as_ref().map_or(self.config, |folder| folder.join("muster.toml")),
            catalog: configuration.map_or(self.catalog, |folder| folder.join("templates")),
            state_dir: state.unwrap_or(self.state_dir),
            socket: self.socket,
        }
    }

    fn of_user(home: PathBuf, runtime: Option<PathBuf>, state: Option<PathBuf>, config: Option<PathBuf>) -> Self {
        let config = config.unwrap_or_else(|| home.join(".config")).join("muster");
        Self {
            config: config.join("muster.toml"),
            state_dir: state.unwrap_or_else(|| home.join(".local/state")).join("muster"),
            socket: runtime.unwrap_or_else(|| home.join(".local/state")).join("muster/muster.sock"),
            catalog: config.join("templates"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_user_has_places_of_their_own() {
        let places = Places::of_user("/home/a".into(), Some("/run/user/7".into()), None, None);
        assert_eq!(places.config, PathBuf::from("/home/a/.config/muster/muster.toml"));
        assert_eq!(places.state_dir, PathBuf::from("/home/a/.local/state/muster"));
        assert_eq!(places.socket, PathBuf::from("/run/user/7/muster/muster.sock"));
        let without_runtime = Places::of_user("/home/a".into(), None, None, None);
        assert_eq!(without_runtime.socket, PathBuf::from("/home/a/.local/state/muster/muster.sock"));
    }
    #[test]
    fn a_service_has_the_places_that_systemd_prepares_for_it() {
        let user = || Places::of_user("/".into(), None, None, None);
        let (state, configuration) = ("/var/lib/muster".into(), "/etc/muster".into());
        let places = user().with_those_of_a_unit(Some(state), Some(configuration));
        let system = Places::of_system();
        assert_eq!((places.config, places.catalog), (system.config, system.catalog));
        assert_eq!(places.state_dir, system.state_dir);
        assert_eq!(user().with_those_of_a_unit(None, None), user());
    }
}
