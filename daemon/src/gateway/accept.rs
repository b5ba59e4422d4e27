//! Accepting connections: as many as the limits say, in all and of each user.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use muster_protocol::handshake;
use muster_protocol::hello::Refusal;
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio::time::{interval, sleep};
use tokio_util::task::TaskTracker;
use tracing::warn;

use super::listener::Listener;
use super::session;
use crate::app::App;
use crate::gateway::limits::GatewayLimits;

/// After an error, such as no file descriptors left, before the next try.
const BACK_OFF: Duration = Duration::from_millis(100);

/// A refusal is a few bytes into an empty buffer: a peer that cannot take them at once need not hear them.
const REFUSAL_LIMIT: Duration = Duration::from_millis(50);

/// Long frames of one user's sessions that are read at once; together they take 32 MiB at most.
const LONG_FRAMES: usize = 8;

/// Bytes that may wait to be written to one user's sessions together.
const UNWRITTEN_BYTES: usize = 64 << 20;

/// How often is looked whether the socket's file is there.
const LOOK_FOR_SOCKET: Duration = Duration::from_secs(2);

/// Places for sessions.
#[derive(Clone, Default)]
struct SessionPlaces {
    taken: Arc<Mutex<HashMap<u32, Taken>>>,
}

/// What one user's sessions have.
struct Taken {
    sessions: usize,
    shared: OfUser,
}

/// What the sessions of one user share, so that nobody's half frames and untaken answers are another's trouble.
#[derive(Clone)]
pub struct OfUser {
    /// Places to read a long frame.
    pub long_frames: Arc<Semaphore>,
    /// Bytes that may wait to be written.
    pub unwritten: Arc<Semaphore>,
}

impl OfUser {
    fn new() -> Self {
        Self {
            long_frames: Arc::new(Semaphore::new(LONG_FRAMES)),
            unwritten: Arc::new(Semaphore::new(UNWRITTEN_BYTES)),
        }
    }
}

/// A session's place; given back when dropped.
struct Place {
    uid: u32,
    shared: OfUser,
    places: SessionPlaces,
}

/// Accepts connections until the daemon stops. Their sessions are tracked.
pub async fn accept(app: Arc<App>, mut listener: Listener, sessions: TaskTracker) {
    let places = SessionPlaces::default();
    let mut look_for_socket = interval(LOOK_FOR_SOCKET);
    loop {
        let accepted = tokio::select! {
            accepted = listener.socket.accept() => accepted,
            _ = look_for_socket.tick() => {
                listener.bring_back().await;
                continue;
            }
            () = app.stopping.cancelled() => return,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                warn!(cause = %error, "cannot accept a connection");
                metrics::counter!("muster_accept_errors_total").increment(1);
                sleep(BACK_OFF).await;
                continue;
            }
        };
        let Ok(peer) = stream.peer_cred() else { continue };
        match places.take(peer.uid(), &app.limits) {
            Ok(place) => {
                let app = app.clone();
                sessions.spawn(async move {
                    session::serve(app, stream, place.shared.clone()).await;
                    drop(place);
                });
            }
            Err(text) => refuse(stream, &text).await,
        }
    }
}

async fn refuse(mut stream: UnixStream, text: &str) {
    metrics::counter!("muster_connections_refused_total").increment(1);
    let _ = handshake::refuse(&mut stream, &session::hello(), Refusal::Busy, text, REFUSAL_LIMIT).await;
}

impl SessionPlaces {
    fn take(&self, uid: u32, limits: &GatewayLimits) -> Result<Place, String> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let all = sessions(&taken);
        if all >= limits.sessions {
            return Err(format!("the daemon has {all} connections, which is its limit; try again in a moment"));
        }
        let of_user = taken.get(&uid).map_or(0, |user| user.sessions);
        if of_user >= limits.sessions_per_user {
            return Err(format!("you have {of_user} connections, which is the limit; close some"));
        }
        let user = taken.entry(uid).or_insert_with(|| Taken { sessions: 0, shared: OfUser::new() });
        user.sessions += 1;
        let shared = user.shared.clone();
        metrics::gauge!("muster_sessions").set((all + 1) as f64);
        Ok(Place { uid, shared, places: self.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(user) = taken.get_mut(&self.uid) {
            user.sessions -= 1;
            if user.sessions == 0 {
                taken.remove(&self.uid);
            }
        }
        metrics::gauge!("muster_sessions").set(sessions(&taken) as f64);
    }
}

fn sessions(taken: &HashMap<u32, Taken>) -> usize {
    taken.values().map(|user| user.sessions).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_user_cannot_take_all_places_and_places_come_back() {
        let limits = GatewayLimits { sessions: 3, sessions_per_user: 2, ..GatewayLimits::default() };
        let places = SessionPlaces::default();
        let first = places.take(1, &limits).ok().unwrap();
        let _second = places.take(1, &limits).ok().unwrap();
        assert!(places.take(1, &limits).err().unwrap().contains("you have 2"));
        let _third = places.take(2, &limits).ok().unwrap();
        assert!(places.take(3, &limits).err().unwrap().contains("the daemon has 3"));
        drop(first);
        assert!(places.take(3, &limits).is_ok());
    }
}
