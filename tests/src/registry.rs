//! An image registry on this host, for machines that reach no other one: Debian's `docker-registry`.
//!
//! # How a machine pulls `nginx:1.28` from it under that very name
//!
//! The registry plays a *mirror* of Docker Hub, where `nginx:1.28` is short for the repository `library/nginx`: an engine asks
//! its mirrors first for every image name without a registry in front. So a machine's `/etc/docker/daemon.json` needs
//!
//! ```json
//! {"registry-mirrors": ["http://GATEWAY:PORT"]}
//! ```
//!
//! with the address under which the machine reaches the host: the gateway of its bridge network. The `http://` is all that
//! the engine needs to know to speak plain HTTP to a mirror. For images named `GATEWAY:PORT/…` outright, add
//! `"insecure-registries": ["GATEWAY:PORT"]`. [`Registry::daemon_json`] has both. An image that the mirror does not have is
//! looked for at Docker Hub, so on a restricted host its error speaks of `registry-1.docker.io`.
//!
//! The host pushes to `127.0.0.1:PORT`: loopback is allowed without TLS.

use std::fs::File;
use std::io::Write;
use std::net::{IpAddr, UdpSocket};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::images::http;

/// Ends the registry when the pipe on its standard input closes, which the kernel does however its starter ends.
/// A word on the pipe lets it stay.
const GUARD: &str = r#"docker-registry serve "$0" & read -r word || kill $!; wait $!"#;

/// The user of registries that want a login, and its password.
pub const LOGIN: (&str, &str) = ("tests", "only-for-tests");
/// The same as the `Authorization` header has it.
pub const LOGIN_HEADER: &str = "Basic dGVzdHM6b25seS1mb3ItdGVzdHM=";
/// The same as a line of an `htpasswd` file: bcrypt, with little work.
const HTPASSWD: &str = "tests:$2b$04$8bd3zMdssjkz86860vPqBeLb6H9yr1vijI9C2GJ7LEzXol8SfYfd2\n";

const START_LIMIT: Duration = Duration::from_secs(60);

/// A registry, as a process that ends with this value or with this program.
pub struct Registry {
    port: u16,
    guard: Child,
    pipe: Option<ChildStdin>,
    /// Its configuration and log.
    folder: Option<TempDir>,
}

/// Who is served.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Visitors {
    /// Whoever asks.
    Anybody,
    /// Those who log in as [`LOGIN`].
    WithLogin,
}

impl Registry {
    /// Starts a registry on all addresses at a free port, with its images in `storage`. Several may share a storage.
    ///
    /// # Errors
    /// Where `docker-registry` is not installed or does not answer in time, with its log.
    pub async fn start(storage: &Path) -> Result<Self> {
        Self::start_for(storage, Visitors::Anybody).await
    }

    /// The same, for those who log in as [`LOGIN`].
    ///
    /// # Errors
    /// As [`Registry::start`].
    pub async fn start_with_login(storage: &Path) -> Result<Self> {
        Self::start_for(storage, Visitors::WithLogin).await
    }

    async fn start_for(storage: &Path, visitors: Visitors) -> Result<Self> {
        std::fs::create_dir_all(storage).with_context(|| format!("cannot create {}", storage.display()))?;
        let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
        let config = folder.path().join("config.yml");
        let mut text = configuration(storage);
        if visitors == Visitors::WithLogin {
            let users = folder.path().join("htpasswd");
            std::fs::write(&users, HTPASSWD).context("cannot write the registry's users")?;
            text.push_str(&format!("auth: {{htpasswd: {{realm: tests, path: \"{}\"}}}}\n", users.display()));
        }
        std::fs::write(&config, text).context("cannot write the registry's configuration")?;
        let log_path = folder.path().join("log");
        let log = File::create(&log_path).context("cannot create the registry's log")?;
        let mut guard = Command::new("sh")
            .args(["-c", GUARD])
            .arg(&config)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            // Ctrl-C on a terminal is for its starter.
            .process_group(0)
            .spawn()
            .context("cannot start a shell")?;
        let pipe = guard.stdin.take();
        let mut registry = Self { port: 0, guard, pipe, folder: Some(folder) };
        registry.port = wait_for_port(&log_path).await?;
        let (status, _) = http::get(&registry.host_address(), "/v2/").await?;
        let expected = if visitors == Visitors::WithLogin { 401 } else { 200 };
        if status != expected {
            bail!("the registry at {} answers {status}", registry.host_address());
        }
        Ok(registry)
    }

    /// Its port, on every address of this host.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `127.0.0.1:PORT`: where this host reaches it.
    pub fn host_address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The `/etc/docker/daemon.json` of an engine that reaches this host by `gateway`.
    pub fn daemon_json(&self, gateway: &str) -> String {
        let address = format!("{gateway}:{}", self.port);
        format!(r#"{{"registry-mirrors": ["http://{address}"], "insecure-registries": ["{address}"]}}"#)
    }

    /// The digest of `repository:tag`, if it has that.
    ///
    /// # Errors
    /// If the registry does not answer.
    pub async fn digest(&self, repository: &str, tag: &str) -> Result<Option<String>> {
        let path = format!("/v2/{repository}/manifests/{tag}");
        let accept = "application/vnd.docker.distribution.manifest.v2+json";
        let answer = http::request(&self.host_address(), "HEAD", &path, &[("Accept", accept)]).await?;
        match answer.status {
            200 => Ok(answer.header("Docker-Content-Digest")),
            404 => Ok(None),
            status => bail!("the registry answers {status} to {path}"),
        }
    }

    /// Lets it run on when this program has ended; whoever started it this way ends it by its port.
    ///
    /// # Errors
    /// If it has already ended.
    pub fn leave(mut self) -> Result<()> {
        let pipe = self.pipe.as_mut().context("the registry has no pipe")?;
        pipe.write_all(b"stay\n").context("the registry has ended")?;
        if let Some(folder) = self.folder.take() {
            let _ = folder.keep();
        }
        self.pipe = None;
        Ok(())
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // Closing the pipe ends it, unless it was told to stay.
        if self.pipe.take().is_some() {
            let _ = self.guard.wait();
        }
    }
}

/// The address of this host that it has towards the rest of the world.
///
/// A machine reaches it by its gateway, and no machine has it itself. That the address of Docker's bridge cannot say: a machine
/// with a Docker Engine of its own has 172.17.0.1 too, and would ask itself.
///
/// # Errors
/// If there is no such way.
pub fn host_address() -> Result<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").context("cannot open a socket")?;
    // Nothing is sent: the kernel only chooses the way. The address is one of documentation's.
    socket
        .connect("198.51.100.1:9")
        .context("this host has no default route, so no address for machines to reach it at")?;
    Ok(socket.local_addr().context("cannot tell this host's address")?.ip())
}

/// The folder that keeps images from one run to the next: `registry` in the cache, which is `$MUSTER_CACHE_DIR`,
/// root's `/var/cache/muster` or the user's own.
///
/// # Errors
/// If there is no place for a cache.
pub fn cached_storage() -> Result<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let cache = match variable("MUSTER_CACHE_DIR") {
        Some(cache) => cache,
        None if rustix::process::geteuid().is_root() => PathBuf::from("/var/cache/muster"),
        None => variable("XDG_CACHE_HOME")
            .or_else(|| Some(variable("HOME")?.join(".cache")))
            .context("no place for the cache: set MUSTER_CACHE_DIR (HOME is not set)")?
            .join("muster"),
    };
    std::path::absolute(cache.join("registry")).context("the cache folder is not a usable path")
}

fn configuration(storage: &Path) -> String {
    // A quoted YAML string takes any path but one with quotes or backslashes, which nobody has.
    format!(
        "version: 0.1\nlog: {{level: info, accesslog: {{disabled: true}}}}\n\
         storage: {{filesystem: {{rootdirectory: \"{}\"}}}}\nhttp: {{addr: \"0.0.0.0:0\"}}\n",
        storage.display()
    )
}

/// The registry chooses a free port itself and writes it to its log.
async fn wait_for_port(log_path: &Path) -> Result<u16> {
    let deadline = Instant::now() + START_LIMIT;
    loop {
        let log = std::fs::read_to_string(log_path).unwrap_or_default();
        if let Some(port) = port_in(&log) {
            return Ok(port);
        }
        if log.contains("not found") {
            bail!("docker-registry is not installed; run: apt-get install docker-registry");
        }
        if Instant::now() >= deadline {
            bail!("docker-registry did not start in {} s: {log}", START_LIMIT.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn port_in(log: &str) -> Option<u16> {
    let (_, rest) = log.split_once("listening on ")?;
    let address = rest.split(['"', ' ', '\n', ',']).next()?;
    let complete = rest.len() > address.len();
    let (_, port) = address.rsplit_once(':')?;
    if complete { port.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_read_from_a_complete_line_of_the_log() {
        let line = "time=\"x\" level=info msg=\"listening on [::]:43567\" go.version=go1.19\n";
        assert_eq!(port_in(line), Some(43567));
        assert_eq!(port_in("msg=\"listening on [::]:435"), None);
        assert_eq!(port_in("nothing yet"), None);
    }
}
