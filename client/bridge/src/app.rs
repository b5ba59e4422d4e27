//! What every request shares.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use muster_protocol::Name;

use crate::auth::session::Sessions;
use crate::auth::tokens::Tokens;
use crate::config::Config;
use crate::daemon::Daemon;
use crate::hub::Hub;
use crate::limit::Rate;
use crate::problem::Problem;

/// Streams of all callers together; each holds a place on a connection to the daemon.
const STREAMS: usize = 4_000;

/// The bridge's state. Clones share it.
#[derive(Clone)]
pub struct App(Arc<AppState>);

/// The parts of the state.
pub struct AppState {
    /// The configuration.
    pub config: Config,
    /// The daemon.
    pub daemon: Daemon,
    /// Events, for all who follow.
    pub events: Hub,
    /// What tokens grant.
    pub tokens: Tokens,
    /// Sessions of the page.
    pub sessions: Sessions,
    /// Requests by token.
    pub by_token: Rate<Name>,
    /// Requests by address.
    pub by_address: Rate<IpAddr>,
    /// Refused tokens by address.
    pub refused: Rate<IpAddr>,
    /// The bridge's own metrics.
    pub metrics: PrometheusHandle,
    streams: Mutex<HashMap<Name, usize>>,
}

impl Deref for App {
    type Target = AppState;

    fn deref(&self) -> &AppState {
        &self.0
    }
}

impl App {
    /// The state at the start.
    pub fn new(config: Config, metrics: PrometheusHandle) -> Self {
        let limits = &config.limits;
        Self(Arc::new(AppState {
            daemon: Daemon::new(config.socket.clone(), limits.daemon_connections, STREAMS),
            events: Hub::default(),
            tokens: Tokens::default(),
            sessions: Sessions::new(Duration::from_secs(60 * config.page.session_minutes)),
            by_token: Rate::new(limits.requests_per_minute_per_token),
            by_address: Rate::new(limits.requests_per_minute_per_address),
            refused: Rate::new(limits.refused_tokens_per_minute),
            metrics,
            streams: Mutex::default(),
            config,
        }))
    }

    /// A place for one more stream with this token. It is free again when the answer is dropped.
    ///
    /// # Errors
    /// If the token has as many as it may.
    pub fn stream_place(&self, token: &Name) -> Result<StreamPlace, Problem> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let open = streams.entry(token.clone()).or_default();
        if *open >= self.config.limits.streams_per_token {
            return Err(Problem::too_many("this token has as many streams open as it may"));
        }
        *open += 1;
        Ok(StreamPlace { app: self.clone(), token: token.clone() })
    }
}

/// A place for a stream.
pub struct StreamPlace {
    app: App,
    token: Name,
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        let mut streams = self.app.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = streams.get_mut(&self.token) {
            *open -= 1;
            if *open == 0 {
                streams.remove(&self.token);
            }
        }
    }
}
