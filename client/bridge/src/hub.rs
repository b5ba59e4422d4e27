//! One stream of events from the daemon for all who follow.
//!
//! The newest events are kept in memory. A follower that is further behind reads from the daemon until it has caught up, so a
//! thousand followers cost the daemon one stream.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{StreamExt, stream};
use muster_client::{ClientError, EventQuery, ItemStream};
use muster_protocol::model::event::{Event, EventKind};
use muster_protocol::{Asker, Error, ErrorCode, Name, Request, Timestamp};
use tokio::sync::watch;
use tracing::{debug, warn};

use crate::app::App;

/// Events that are kept.
const KEPT: usize = 4_096;
/// Between two looks whether a follower's token has ended.
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);
/// Events that a follower takes at once.
const AT_ONCE: usize = 64;

/// The stream that all share; it runs from the first follower on.
#[derive(Default)]
pub struct Hub(tokio::sync::Mutex<Option<Arc<Run>>>);

/// One life of the stream, until it breaks.
struct Run {
    kept: Mutex<VecDeque<Event>>,
    state: watch::Sender<RunState>,
}

#[derive(Clone, Debug)]
struct RunState {
    newest: u64,
    broke: Option<Error>,
}

impl Run {
    /// Every section under the lock leaves the queue whole, so a poisoned lock is as good.
    fn kept(&self) -> MutexGuard<'_, VecDeque<Event>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, event: Event) {
        let number = event.number;
        let mut kept = self.kept();
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(event);
        drop(kept);
        self.state.send_modify(|state| state.newest = number);
    }

    /// The next events behind the cursor; none if the first of them is not kept (any more).
    fn behind(&self, cursor: u64) -> Option<Vec<Event>> {
        let kept = self.kept();
        let Some(first) = kept.front().map(|event| event.number) else {
            return (cursor >= self.state.borrow().newest).then(Vec::new);
        };
        let from = (cursor + 1).checked_sub(first)?;
        let from = usize::try_from(from).unwrap_or(usize::MAX).min(kept.len());
        Some(kept.range(from..).take(AT_ONCE).cloned().collect())
    }
}

/// The number of the newest event. A cursor that is ahead of the log is refused, and the refusal names it.
///
/// # Errors
/// If the daemon cannot be asked.
pub async fn newest(app: &App) -> Result<u64, ClientError> {
    let query = EventQuery { since: Some(i64::MAX.unsigned_abs()), cluster: None, follow: false };
    let refusal = match app.daemon.stream(None, |client| client.events(query)).await?.next().await {
        Some(Err(refusal)) => refusal,
        Some(Ok(_)) | None => {
            let message = "the daemon knows events that cannot be".to_owned();
            return Err(ClientError::Protocol { message });
        }
    };
    match refusal.to_error().details.get("last").and_then(|last| last.parse().ok()) {
        Some(last) => Ok(last),
        None => Err(refusal),
    }
}

impl Hub {
    /// The stream that runs, or a new one.
    async fn run(&self, app: &App) -> Result<Arc<Run>, ClientError> {
        let mut present = self.0.lock().await;
        if let Some(run) = &*present
            && run.state.borrow().broke.is_none()
        {
            return Ok(Arc::clone(run));
        }
        let newest = newest(app).await?;
        let query = EventQuery { since: Some(newest), cluster: None, follow: true };
        let mut events = app.daemon.stream(None, |client| client.events(query)).await?;
        let run = Arc::new(Run { kept: Mutex::default(), state: watch::channel(RunState { newest, broke: None }).0 });
        *present = Some(Arc::clone(&run));
        let writer = Arc::clone(&run);
        tokio::spawn(async move {
            let broke = loop {
                match events.next().await {
                    Some(Ok(event)) => writer.push(event),
                    Some(Err(error)) => break error.to_error(),
                    None => break Error::new(ErrorCode::Unavailable, "the daemon ended its events").retry_later(),
                }
            };
            warn!(%broke, "the stream of events broke; the next follower begins a new one");
            writer.state.send_modify(|state| state.broke = Some(broke));
        });
        debug!(newest, "events are followed");
        Ok(run)
    }

    /// Events behind `since`, or from the oldest that the daemon keeps, and new ones as they come.
    ///
    /// # Errors
    /// If the daemon cannot be asked. What goes wrong later is an item.
    pub async fn follow(
        &self,
        app: &App,
        holder: Holder,
        since: Option<u64>,
        wanted: EventFilter,
    ) -> Result<ItemStream<Event>, ClientError> {
        let run = self.run(app).await?;
        let state = run.state.subscribe();
        let follower = Follower {
            app: app.clone(),
            holder,
            run,
            state,
            cursor: since,
            wanted,
            history: None,
            taken: VecDeque::new(),
        };
        let events = stream::unfold(Some(follower), |follower| async {
            let mut follower = follower?;
            let item = follower.next().await;
            let rest = item.is_ok().then_some(follower);
            Some((item, rest))
        });
        Ok(events.boxed())
    }
}

/// Which events a follower gets. The stream is the bridge's own, so what a token may not see is left out here.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Only those about this cluster.
    pub cluster: Option<Name>,
    /// Only those about these, if there are any.
    pub clusters: Vec<Name>,
}

/// Who follows, and until when its token holds.
#[derive(Clone, Debug)]
pub struct Holder {
    /// Whom the daemon knows.
    pub asker: Asker,
    /// When its token ends.
    pub expires_at: Timestamp,
}

impl EventFilter {
    fn has(&self, event: &Event) -> bool {
        let is_asked_for = self.cluster.is_none() || event.cluster == self.cluster;
        let is_seen = self.clusters.is_empty() || event.cluster.as_ref().is_some_and(|of| self.clusters.contains(of));
        is_asked_for && is_seen
    }
}

/// Where one follower is.
struct Follower {
    app: App,
    holder: Holder,
    run: Arc<Run>,
    state: watch::Receiver<RunState>,
    /// The last event that it has or need not have; none before the oldest.
    cursor: Option<u64>,
    wanted: EventFilter,
    /// What it reads from the daemon, and up to where that reaches at least.
    history: Option<(ItemStream<Event>, u64)>,
    taken: VecDeque<Event>,
}

impl Follower {
    async fn next(&mut self) -> Result<Event, ClientError> {
        loop {
            if let Some(event) = self.taken.pop_front() {
                self.cursor = Some(event.number);
                if event.kind == EventKind::Token {
                    // Perhaps the follower's own was revoked: the daemon refuses it then.
                    self.app.daemon.ask(Some(self.holder.asker.clone()), Request::Whoami).await?;
                }
                if self.wanted.has(&event) {
                    return Ok(event);
                }
                continue;
            }
            if let Some((events, reaches)) = &mut self.history {
                match events.next().await {
                    Some(event) => {
                        let event = event?;
                        self.cursor = Some(event.number);
                        if self.wanted.has(&event) {
                            return Ok(event);
                        }
                    }
                    None => {
                        self.cursor = Some(self.cursor.map_or(*reaches, |cursor| cursor.max(*reaches)));
                        self.history = None;
                    }
                }
                continue;
            }
            // Before looking, so that an event that comes meanwhile is not slept through.
            let RunState { newest, broke } = self.state.borrow_and_update().clone();
            let is_ahead = self.cursor.is_some_and(|cursor| cursor > newest);
            match self.cursor.filter(|_| !is_ahead).and_then(|cursor| self.run.behind(cursor)) {
                None => self.read_history(newest).await?,
                Some(events) if events.is_empty() => {
                    if let Some(error) = broke {
                        return Err(error.into());
                    }
                    let rest = self.holder.expires_at.since(Timestamp::of_system_clock());
                    if rest.is_zero() {
                        return Err(Error::new(ErrorCode::PermissionDenied, "the token has ended").into());
                    }
                    tokio::select! {
                        changed = self.state.changed() => if changed.is_err() {
                            let stopping = Error::new(ErrorCode::Unavailable, "the bridge is stopping");
                            return Err(stopping.retry_later().into());
                        },
                        () = tokio::time::sleep(rest.min(LONGEST_WAIT)) => {}
                    }
                }
                Some(events) => self.taken = events.into(),
            }
        }
    }

    async fn read_history(&mut self, newest: u64) -> Result<(), ClientError> {
        let query = EventQuery { since: self.cursor, cluster: self.wanted.cluster.clone(), follow: false };
        let events = self.app.daemon.stream(None, |client| client.events(query)).await?;
        self.history = Some((events, newest));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: u64) -> Event {
        Event {
            number,
            at: Timestamp::from_millis(number),
            kind: EventKind::Daemon,
            cluster_id: None,
            cluster: None,
            operation: None,
            who: None,
            service: None,
            message: String::new(),
            cause: None,
        }
    }

    fn numbers(events: Option<Vec<Event>>) -> Option<Vec<u64>> {
        events.map(|events| events.iter().map(|event| event.number).collect())
    }

    #[test]
    fn a_token_of_some_clusters_follows_those_and_nothing_about_the_host() {
        let of = |cluster: Option<&str>| Event { cluster: cluster.map(|name| name.parse().unwrap()), ..event(1) };
        let limited = EventFilter { cluster: None, clusters: vec!["one".parse().unwrap()] };
        assert!(limited.has(&of(Some("one"))));
        assert!(!limited.has(&of(Some("two"))) && !limited.has(&of(None)));
        assert!(EventFilter::default().has(&of(None)));
    }

    #[test]
    fn only_what_is_kept_without_a_gap_is_given_from_memory() {
        let run = Run { kept: Mutex::default(), state: watch::channel(RunState { newest: 10, broke: None }).0 };
        assert_eq!(numbers(run.behind(10)), Some(vec![]));
        assert_eq!(numbers(run.behind(9)), None, "event 10 was before the stream");
        run.push(event(11));
        run.push(event(12));
        assert_eq!(numbers(run.behind(10)), Some(vec![11, 12]));
        assert_eq!(numbers(run.behind(12)), Some(vec![]));
        assert_eq!(numbers(run.behind(9)), None);
        for number in 13..13 + KEPT as u64 {
            run.push(event(number));
        }
        assert_eq!(numbers(run.behind(11)), None, "event 12 is no longer kept");
        assert_eq!(numbers(run.behind(12)).unwrap().len(), AT_ONCE);
    }
}
