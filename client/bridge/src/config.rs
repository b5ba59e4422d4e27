//! The bridge's configuration: one TOML file, and defaults for all that it leaves out.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Everything that can be configured.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the bridge listens.
    pub listen: SocketAddr,
    /// Serve a listener beyond loopback without TLS, for example behind a proxy that ends TLS.
    pub plaintext_beyond_loopback: bool,
    /// The daemon's socket; the usual place if none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub socket: Option<PathBuf>,
    /// TLS; plain HTTP if none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// What is let in, and for how long.
    pub limits: Limits,
    /// The page for a browser.
    pub page: Page,
    /// Logging.
    pub log: Log,
}

/// Certificates. The files are read again when they change, and at SIGHUP.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate chain, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// The authorities whose client certificates are accepted, PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_ca: Option<PathBuf>,
    /// Whether a client must show a certificate, if `client_ca` is said. A token is needed all the same.
    #[serde(default)]
    pub client_certificates: ClientCertificates,
}

/// Whether a client must show a certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientCertificates {
    /// A client without one is refused.
    #[default]
    Required,
    /// A client may have none; one that is shown must be good.
    Optional,
}

/// What is let in, and for how long.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Connections that are open at once.
    pub connections: usize,
    /// The largest body of a request, in bytes.
    pub body_bytes: usize,
    /// The largest head of a request, in bytes.
    pub header_bytes: usize,
    /// How long the head of a request may take, and how long a connection may be idle.
    pub header_ms: u64,
    /// How long the body of a request may take.
    pub body_ms: u64,
    /// How long a request may take that is neither a stream nor waits.
    pub request_ms: u64,
    /// The longest `Prefer: wait`, in seconds.
    pub wait_seconds: u64,
    /// Requests a minute with one token.
    pub requests_per_minute_per_token: u32,
    /// Requests a minute from one address.
    pub requests_per_minute_per_address: u32,
    /// Refused tokens a minute from one address that are answered one by one; more are slowed down.
    pub refused_tokens_per_minute: u32,
    /// Streams that are open at once with one token.
    pub streams_per_token: usize,
    /// Connections to the daemon for requests; each takes 60 at once.
    pub daemon_connections: usize,
    /// How long streams and requests may go on when the bridge is told to stop.
    pub drain_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 12_000,
            body_bytes: 1 << 20,
            header_bytes: 32 << 10,
            header_ms: 30_000,
            body_ms: 30_000,
            request_ms: 70_000,
            wait_seconds: 300,
            requests_per_minute_per_token: 6_000,
            requests_per_minute_per_address: 12_000,
            refused_tokens_per_minute: 20,
            streams_per_token: 64,
            daemon_connections: 4,
            drain_ms: 5_000,
        }
    }
}

/// The page for a browser.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Page {
    /// Whether it is served.
    pub enabled: bool,
    /// How long a session of the page lasts.
    pub session_minutes: u64,
}

impl Default for Page {
    fn default() -> Self {
        Self { enabled: true, session_minutes: 480 }
    }
}

/// Logging, to standard error.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// A level or a filter such as `info,muster_bridge=debug`.
    pub level: String,
    /// `text` or `json`.
    pub format: Format,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: Format::Text }
    }
}

/// The form of log lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8440)),
            plaintext_beyond_loopback: false,
            socket: None,
            tls: None,
            limits: Limits::default(),
            page: Page::default(),
            log: Log::default(),
        }
    }
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
    /// It is no TOML of this form.
    #[error("{} is no configuration of the bridge", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A value that cannot be.
    #[error("`{key}` {problem}")]
    Value {
        /// The key.
        key: &'static str,
        /// What is wrong with its value.
        problem: &'static str,
    },
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// If it cannot be read, or is not a configuration that can be served.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let config: Self = toml::from_str(&text)
            .map_err(|source| ConfigError::Parse { path: path.to_owned(), source: Box::new(source) })?;
        config.check()?;
        Ok(config)
    }

    /// Checks what the types alone do not say.
    ///
    /// # Errors
    /// If a value cannot be.
    pub fn check(&self) -> Result<(), ConfigError> {
        let is_open = !self.listen.ip().is_loopback();
        if is_open && self.tls.is_none() && !self.plaintext_beyond_loopback {
            let problem = "is beyond loopback and there is no [tls]: tokens would cross the network in clear";
            return Err(ConfigError::Value { key: "listen", problem });
        }
        let limits = &self.limits;
        let at_least_one = [
            ("limits.connections", limits.connections as u64),
            ("limits.body_bytes", limits.body_bytes as u64),
            ("limits.header_ms", limits.header_ms),
            ("limits.body_ms", limits.body_ms),
            ("limits.request_ms", limits.request_ms),
            ("limits.requests_per_minute_per_token", limits.requests_per_minute_per_token.into()),
            ("limits.requests_per_minute_per_address", limits.requests_per_minute_per_address.into()),
            ("limits.refused_tokens_per_minute", limits.refused_tokens_per_minute.into()),
            ("limits.streams_per_token", limits.streams_per_token as u64),
            ("limits.daemon_connections", limits.daemon_connections as u64),
            ("page.session_minutes", self.page.session_minutes),
        ];
        if let Some((key, _)) = at_least_one.into_iter().find(|(_, value)| *value == 0) {
            return Err(ConfigError::Value { key, problem: "must be at least 1" });
        }
        // The smallest buffer that hyper takes.
        if limits.header_bytes < 8192 {
            return Err(ConfigError::Value { key: "limits.header_bytes", problem: "must be at least 8192" });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_beyond_loopback_needs_tls_or_a_clear_word() {
        let open = Config { listen: SocketAddr::from(([0, 0, 0, 0], 8440)), ..Config::default() };
        assert!(matches!(open.check(), Err(ConfigError::Value { key: "listen", .. })));
        assert!(Config { plaintext_beyond_loopback: true, ..open }.check().is_ok());
        assert!(Config::default().check().is_ok());
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bridge.toml");
        std::fs::write(&path, "[limits]\nconections = 3\n").unwrap();
        assert!(matches!(Config::read(&path), Err(ConfigError::Parse { .. })));
    }
}
