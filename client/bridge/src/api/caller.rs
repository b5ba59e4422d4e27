//! The caller of one request, and what it may ask of the daemon.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use muster_client::{Client, ClientError, Duplex, ItemStream};
use muster_protocol::model::event::Event;
use muster_protocol::{Asker, ErrorCode, Name, Request, Response};

use tokio::sync::OwnedSemaphorePermit;

use super::stream::Stream;
use crate::app::{App, StreamPlace};
use crate::auth::Principal;
use crate::hub::{EventFilter, Holder};
use crate::problem::Problem;

/// A caller whom the gate let through.
pub struct Caller {
    /// The bridge.
    pub app: App,
    /// Who it is.
    pub principal: Principal,
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let principal = parts.extensions.get::<Principal>().cloned();
        let principal = principal.ok_or_else(|| Problem::unauthenticated("a token is needed"))?;
        Ok(Self { app: app.clone(), principal })
    }
}

impl Caller {
    /// Whom the daemon sees: the token's holder.
    fn whom(&self) -> Asker {
        let principal = muster_protocol::Principal::token(self.principal.grant.name.as_str());
        Asker { principal, address: Some(self.principal.address) }
    }

    /// Whether the caller may look at this. The daemon judges whatever it is asked for on somebody's behalf; this is for what
    /// the bridge gives from its own hands, and for refusals that must come before a stream begins.
    ///
    /// # Errors
    /// If it may not.
    fn may(&self, request: &Request) -> Result<(), Problem> {
        if self.principal.grant.may(request) {
            return Ok(());
        }
        let problem = Problem::forbidden(format!("this token does not allow {} here", request.operation_id()));
        Err(problem.with_remedy("use a token with a role, and of clusters, that allow it"))
    }

    /// Makes a request of the daemon, which refuses what the caller may not.
    ///
    /// # Errors
    /// If the daemon refuses, or it takes too long.
    pub async fn ask(&self, request: Request) -> Result<Response, Problem> {
        let limit = Duration::from_millis(self.app.config.limits.request_ms);
        match tokio::time::timeout(limit, self.app.daemon.ask(Some(self.whom()), request)).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(Problem::timed_out("the daemon did not answer in time")),
        }
    }

    /// Opens a stream from the daemon, if the caller may. `request` is what it amounts to.
    ///
    /// # Errors
    /// If the caller may not, has too many streams, or the daemon cannot be reached.
    pub async fn stream<T: Send + 'static>(
        &self,
        request: &Request,
        open: impl FnOnce(&Client) -> ItemStream<T>,
    ) -> Result<Stream<T>, Problem> {
        self.may(request)?;
        let place = self.app.stream_place(&self.principal.grant.name)?;
        let items = self.app.daemon.stream(Some(self.whom()), open).await?;
        Ok(Stream::new(items, place))
    }
}

impl Caller {
    /// Follows events, if the caller may. All who follow share one stream from the daemon.
    ///
    /// # Errors
    /// If the caller may not, has too many streams, or the daemon cannot be reached.
    pub async fn follow(&self, since: Option<u64>, cluster: Option<Name>) -> Result<Stream<Event>, Problem> {
        self.may(&Request::Events { since, cluster: cluster.clone(), follow: true })?;
        let place = self.app.stream_place(&self.principal.grant.name)?;
        let clusters = self.principal.grant.clusters.clone();
        let holder = Holder { asker: self.whom(), expires_at: self.principal.grant.expires_at };
        let events = self.app.events.follow(&self.app, holder, since, EventFilter { cluster, clusters }).await?;
        Ok(Stream::new(events, place))
    }
}

impl Caller {
    /// Opens a stream that takes input, if the caller may. What comes with it is to be kept as long as the stream.
    ///
    /// # Errors
    /// If the caller may not, has too many streams, or the daemon cannot be reached.
    pub async fn duplex(&self, request: Request) -> Result<(Duplex, (StreamPlace, OwnedSemaphorePermit)), Problem> {
        let is_allowed = self.principal.grant.may(&request);
        let place = self.app.stream_place(&self.principal.grant.name)?;
        let (mut duplex, room) = self.app.daemon.duplex(self.whom(), request).await?;
        if !is_allowed {
            // The daemon is asked all the same: it refuses, and its audit trail tells who tried.
            duplex.next().await?;
            return Err(Problem::forbidden("this token does not allow it"));
        }
        Ok((duplex, (place, room)))
    }
}

/// The daemon answered with another kind of thing.
pub fn unexpected(wanted: &str) -> Problem {
    let message = format!("the daemon was asked for {wanted} and sent something else");
    let error = ClientError::Protocol { message };
    debug_assert_eq!(error.code(), ErrorCode::Protocol);
    error.into()
}
