//! The socket: made by systemd, or by us.

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;
use tracing::warn;

use crate::config::Socket;

/// Those of the socket's group may connect; who may do what is decided by roles.
const MODE: u32 = 0o660;

/// Why there is no socket to listen on.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another daemon answers there.
    #[error("another daemon answers at {}; stop it, or give another socket with --socket", path.display())]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// Something that is not ours to remove.
    #[error("{} is {what}; remove it, or give another socket with --socket", path.display())]
    NotOurs {
        /// The path.
        path: PathBuf,
        /// What is there.
        what: &'static str,
    },
    /// The group does not exist.
    #[error("there is no group `{group}` for the socket; create it, or change `socket.group`")]
    NoGroup {
        /// The group.
        group: String,
    },
    /// The system refused.
    #[error("cannot listen at {}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
}

/// A socket to accept connections on.
#[derive(Debug)]
pub struct Listener {
    /// The socket.
    pub socket: UnixListener,
    /// Where it is.
    pub path: PathBuf,
    /// The file to remove in the end: none if systemd made it, for then it stays.
    pub remove: Option<PathBuf>,
    /// Whose members may connect beside its owner.
    group: Option<String>,
}

impl Listener {
    /// The socket that systemd passed to this process, if it did.
    pub fn from_systemd() -> io::Result<Option<Self>> {
        let Some(socket) = listenfd::ListenFd::from_env().take_unix_listener(0)? else { return Ok(None) };
        socket.set_nonblocking(true)?;
        let path = socket.local_addr()?.as_pathname().map(Path::to_owned).unwrap_or_default();
        Ok(Some(Self { socket: UnixListener::from_std(socket)?, path, remove: None, group: None }))
    }

    /// The socket that was passed, if one was; else a new one as it is configured, or at its usual place.
    pub fn of_config(passed: Option<Self>, config: &Socket, usual: &Path) -> Result<Self, ListenError> {
        let (path, group) = (config.path.as_deref(), config.group.as_deref());
        let Some(passed) = passed else { return Self::bind(path.unwrap_or(usual), group) };
        for setting in passed.without_effect(path, group) {
            warn!("{setting}");
        }
        Ok(passed)
    }

    /// The settings that change nothing about this socket, because it was passed, and what to set instead.
    fn without_effect(&self, path: Option<&Path>, group: Option<&str>) -> Vec<String> {
        let here = self.path.display();
        let mut without_effect = Vec::new();
        if path.is_some_and(|path| path != self.path) {
            without_effect.push(format!(
                "`socket.path` (or `--socket`) has no effect, for systemd passed {here}: set `ListenStream=` in a drop-in of \
                 the socket unit"
            ));
        }
        if group.is_some() {
            without_effect.push(format!(
                "`socket.group` has no effect, for systemd made {here}: set `SocketGroup=` in a drop-in of the socket unit"
            ));
        }
        without_effect
    }

    /// A new socket at this path. One that is left there from before and that nobody answers at is removed. Blocks for moments.
    pub fn bind(path: &Path, group: Option<&str>) -> Result<Self, ListenError> {
        let failed = |source| ListenError::Io { path: path.to_owned(), source };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        remove_stale(path)?;
        // Under another name until it has its group and mode, so that nobody meets it half-made.
        let unfinished = path.with_extension(format!("new-{}", std::process::id()));
        let _ = std::fs::remove_file(&unfinished);
        let socket = StdListener::bind(&unfinished).map_err(failed)?;
        let finish = || -> Result<UnixListener, ListenError> {
            if let Some(group) = group {
                chown(&unfinished, None, Some(group_id(group)?)).map_err(failed)?;
            }
            std::fs::set_permissions(&unfinished, PermissionsExt::from_mode(MODE)).map_err(failed)?;
            std::fs::rename(&unfinished, path).map_err(failed)?;
            socket.set_nonblocking(true).map_err(failed)?;
            UnixListener::from_std(socket).map_err(failed)
        };
        let finished = finish();
        if finished.is_err() {
            let _ = std::fs::remove_file(&unfinished);
        }
        let (path, group) = (path.to_owned(), group.map(str::to_owned));
        Ok(Self { socket: finished?, remove: Some(path.clone()), path, group })
    }

    /// Makes the socket anew where somebody has removed its file, so that nobody else could connect. One that systemd made
    /// is systemd's to look after.
    pub async fn bring_back(&mut self) {
        let Some(path) = &self.remove else { return };
        match tokio::fs::symlink_metadata(path).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Ok(_) | Err(_) => return,
        }
        match Self::bind(path, self.group.as_deref()) {
            Ok(new) => {
                warn!(socket = %path.display(), "somebody removed the socket: it is there again");
                *self = new;
            }
            Err(cause) => warn!(socket = %path.display(), %cause, "somebody removed the socket"),
        }
    }
}

fn remove_stale(path: &Path) -> Result<(), ListenError> {
    let failed = |source| ListenError::Io { path: path.to_owned(), source };
    let not_ours = |what| ListenError::NotOurs { path: path.to_owned(), what };
    let metadata = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    if !metadata.file_type().is_socket() {
        return Err(not_ours("not a socket"));
    }
    let own_uid = rustix::process::geteuid().as_raw();
    if own_uid != 0 && metadata.uid() != own_uid {
        return Err(not_ours("another user's socket"));
    }
    match StdStream::connect(path) {
        Ok(_) => Err(ListenError::InUse { path: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path).map_err(failed),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

fn group_id(group: &str) -> Result<u32, ListenError> {
    if let Ok(number) = group.parse() {
        return Ok(number);
    }
    let found = uzers::get_group_by_name(group).map(|group| group.gid());
    found.ok_or_else(|| ListenError::NoGroup { group: group.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_that_nobody_answers_at_is_replaced_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/muster.sock");
        let first = Listener::bind(&path, None).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
        assert!(matches!(Listener::bind(&path, None), Err(ListenError::InUse { .. })));
        drop(first);
        let second = Listener::bind(&path, None).unwrap();
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        drop(second);
    }

    #[tokio::test]
    async fn a_socket_that_somebody_removed_is_there_again_and_one_of_another_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("muster.sock");
        let mut listener = Listener::bind(&path, None).unwrap();
        std::fs::remove_file(&path).unwrap();
        listener.bring_back().await;
        let (connected, accepted) = tokio::join!(tokio::net::UnixStream::connect(&path), listener.socket.accept());
        assert!(connected.is_ok() && accepted.is_ok());
        std::fs::remove_file(&path).unwrap();
        let other = Listener::bind(&path, None).unwrap();
        listener.bring_back().await;
        let (connected, accepted) = tokio::join!(tokio::net::UnixStream::connect(&path), other.socket.accept());
        assert!(connected.is_ok() && accepted.is_ok());
    }

    #[tokio::test]
    async fn settings_that_a_passed_socket_makes_void_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("muster.sock");
        let passed = Listener::bind(&path, None).unwrap();
        assert_eq!(passed.without_effect(None, None), Vec::<String>::new());
        assert_eq!(passed.without_effect(Some(&path), None), Vec::<String>::new());
        let told = passed.without_effect(Some(Path::new("/elsewhere")), Some("wheel"));
        assert!(told[0].contains("ListenStream=") && told[1].contains("SocketGroup="), "{told:?}");
    }

    #[tokio::test]
    async fn what_is_no_socket_is_never_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("precious");
        std::fs::write(&path, "keep me").unwrap();
        assert!(matches!(Listener::bind(&path, None), Err(ListenError::NotOurs { .. })));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "keep me");
    }

    #[tokio::test]
    async fn a_group_that_does_not_exist_is_named_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("muster.sock");
        let error = Listener::bind(&path, Some("no-such-group")).unwrap_err();
        assert!(error.to_string().contains("no-such-group"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
