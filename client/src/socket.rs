//! Where the daemon listens if nothing else is said.

use std::env;
use std::path::PathBuf;

/// The daemon's socket for the present user: `/run/muster/muster.sock` for root,
/// `$XDG_RUNTIME_DIR/muster/muster.sock` for a plain user, `~/.local/state/muster/muster.sock` where there is
/// no runtime directory.
pub fn default_socket() -> PathBuf {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    socket_for(rustix::process::geteuid().is_root(), set("XDG_RUNTIME_DIR"), set("HOME"))
}

fn socket_for(is_root: bool, runtime_dir: Option<PathBuf>, home: Option<PathBuf>) -> PathBuf {
    let folder = if is_root {
        PathBuf::from("/run")
    } else if let Some(runtime_dir) = runtime_dir {
        runtime_dir
    } else {
        home.unwrap_or_default().join(".local/state")
    };
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
}
