//! Where the daemon listens if nothing else is said.

use std::env;
use std::path::{Path, PathBuf};

/// Where the system's daemon listens.
const SYSTEM: &str = "/run/muster/muster.sock";

/// The daemon's socket for the present user: `/run/muster/muster.sock` for root. A plain user's own daemon, in
/// `$XDG_RUNTIME_DIR/muster/muster.sock` (`~/.local/state/muster/muster.sock` where there is no runtime directory), goes
/// before the system's; where neither is there, it is the own one that is missing.
pub fn default_socket() -> PathBuf {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let own = socket_for(rustix::process::geteuid().is_root(), set("XDG_RUNTIME_DIR"), set("HOME"));
    first_there(own, Path::new(SYSTEM))
}

fn first_there(own: PathBuf, system: &Path) -> PathBuf {
    if !own.exists() && system.exists() { system.to_owned() } else { own }
}

fn socket_for(is_root: bool, runtime_dir: Option<PathBuf>, home: Option<PathBuf>) -> PathBuf {
    if is_root {
        return PathBuf::from(SYSTEM);
    }
    let folder = runtime_dir.unwrap_or_else(|| home.unwrap_or_default().join(".local/state"));
    folder.join("muster/muster.sock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_has_the_system_socket_whatever_the_environment() {
        let socket = socket_for(true, Some("/run/user/0".into()), Some("/root".into()));
        assert_eq!(socket, PathBuf::from("/run/muster/muster.sock"));
    }

    #[test]
    fn a_plain_user_has_a_socket_of_their_own() {
        let with_runtime = socket_for(false, Some("/run/user/7".into()), Some("/home/a".into()));
        assert_eq!(with_runtime, PathBuf::from("/run/user/7/muster/muster.sock"));
        let without = socket_for(false, None, Some("/home/a".into()));
        assert_eq!(without, PathBuf::from("/home/a/.local/state/muster/muster.sock"));
    }

    #[test]
    fn the_systems_socket_serves_who_has_none_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let [own, system] = ["own", "system"].map(|name| folder.path().join(name));
        assert_eq!(first_there(own.clone(), &system), own);
        std::fs::write(&system, "").unwrap();
        assert_eq!(first_there(own.clone(), &system), system);
        std::fs::write(&own, "").unwrap();
        assert_eq!(first_there(own.clone(), &system), own);
    }
}
