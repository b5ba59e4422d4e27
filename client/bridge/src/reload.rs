//! Reading certificates again: when their files change, and at SIGHUP.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use axum_server::tls_rustls::RustlsConfig;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info};

use crate::config::Tls;
use crate::tls;

/// So often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What is read again.
pub struct Reload {
    /// The certificates, if there is TLS.
    pub tls: Option<(Tls, RustlsConfig)>,
}

/// How a file looks from outside; it changes whenever the file does.
type Look = Vec<Option<(SystemTime, u64)>>;

fn look(paths: &[PathBuf]) -> Look {
    let of_one = |path: &PathBuf| {
        let found = std::fs::metadata(path).ok()?;
        Some((found.modified().ok()?, found.len()))
    };
    paths.iter().map(of_one).collect()
}

impl Reload {
    /// Runs until it is dropped.
    ///
    /// # Errors
    /// If signals cannot be heard.
    pub async fn run(self) -> std::io::Result<()> {
        let mut hangup = signal(SignalKind::hangup())?;
        let certificates = self.tls.as_ref().map(|(tls, _)| {
            [Some(&tls.certificate), Some(&tls.key), tls.client_ca.as_ref()].into_iter().flatten().cloned().collect()
        });
        let certificates: Vec<PathBuf> = certificates.unwrap_or_default();
        let mut seen = look(&certificates);
        loop {
            let is_told = tokio::select! {
                heard = hangup.recv() => heard.is_some(),
                () = tokio::time::sleep(LOOK_EVERY) => false,
            };
            let now = look(&certificates);
            if is_told || now != seen {
                self.read_certificates();
            }
            seen = now;
        }
    }

    fn read_certificates(&self) {
        let Some((files, running)) = &self.tls else { return };
        match tls::reload(files, running) {
            Ok(()) => info!("certificates were read again"),
            Err(cause) => error!(cause = chain(&cause), "certificates stay as they were"),
        }
    }
}

/// An error with what caused it.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
