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
    /// The places of the user that this process runs as.
    pub fn of_this_user() -> Self {
        let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        if rustix::process::geteuid().is_root() {
            return Self::of_system();
        }
        Self::of_user(
            set("HOME").unwrap_or_default(),
            set("XDG_RUNTIME_DIR"),
            set("XDG_STATE_HOME"),
            set("XDG_CONFIG_HOME"),
        )
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
}
