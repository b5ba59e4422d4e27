//! Where the daemon listens if nothing else is said.

use std::env;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

/// Where the system's daemon listens.
pub(crate) const SYSTEM: &str = "/run/muster/muster.sock";

/// The daemon's socket for the present user: `/run/muster/muster.sock` for root. A plain user's own daemon, in
/// `$XDG_RUNTIME_DIR/muster/muster.sock` (`~/.local/state/muster/muster.sock` where there is no runtime directory), goes
/// before the system's while it runs; where neither is there, it is the own one that is missing.
pub fn default_socket() -> PathBuf {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let own = socket_for(rustix::process::geteuid().is_root(), set("XDG_RUNTIME_DIR"), set("HOME"));
    first_that_serves(own, Path::new(SYSTEM))
}

fn first_that_serves(own: PathBuf, system: &Path) -> PathBuf {
    if system.exists() && !somebody_listens(&own) { system.to_owned() } else { own }
}

/// Whether a daemon is there. A daemon that was killed leaves its socket behind.
fn somebody_listens(socket: &Path) -> bool {
    // One with a full queue says so instead of making us wait.
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let connected = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
        .and_then(|probe| connect(&probe, &SocketAddrUnix::new(socket)?));
    !matches!(connected, Err(Errno::NOENT | Errno::NOTDIR | Errno::CONNREFUSED))
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
    use std::os::unix::net::UnixListener;

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
    fn the_systems_socket_serves_who_has_no_daemon_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let [own, system] = ["own", "system"].map(|name| folder.path().join(name));
        assert_eq!(first_that_serves(own.clone(), &system), own);
        let _system_daemon = UnixListener::bind(&system).unwrap();
        assert_eq!(first_that_serves(own.clone(), &system), system);
        let own_daemon = UnixListener::bind(&own).unwrap();
        assert_eq!(first_that_serves(own.clone(), &system), own);
        drop(own_daemon);
        assert!(own.exists(), "a killed daemon's socket stays");
        assert_eq!(first_that_serves(own, &system), system);
    }
}
