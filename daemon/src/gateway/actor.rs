//! The gateway's actor: accepts connections and keeps their sessions.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tracing::{debug, error};

use super::accept::accept;
use super::listener::Listener;
use crate::app::App;
use crate::vital::pong;

/// What the gateway is told.
pub enum GatewayMessage {
    /// Accept nothing more and end all sessions; answer when they are over, or after this time.
    Stop(Duration, RpcReplyPort<()>),
    /// Answer, to show that the gateway lives.
    Ping(RpcReplyPort<()>),
    /// The task that accepts connections has ended.
    AcceptingEnded,
}

/// The actor.
pub struct Gateway;

/// Its state.
pub struct GatewayState {
    app: Arc<App>,
    sessions: TaskTracker,
    accepting: Option<JoinHandle<()>>,
    remove: Option<PathBuf>,
}

impl Actor for Gateway {
    type Msg = GatewayMessage;
    type State = GatewayState;
    type Arguments = (Arc<App>, Listener);

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        (app, listener): Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let sessions = TaskTracker::new();
        let remove = listener.remove.clone();
        let accepted = tokio::spawn(accept(app.clone(), listener, sessions.clone()));
        let accepting = tokio::spawn(async move {
            let _ended = accepted.await;
            let _ = myself.cast(GatewayMessage::AcceptingEnded);
        });
        Ok(GatewayState { app, sessions, accepting: Some(accepting), remove })
    }

    async fn handle(
        &self,
        _myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            GatewayMessage::Stop(limit, reply) => {
                state.stop(limit).await;
                let _ = reply.send(());
                Ok(())
            }
            GatewayMessage::Ping(reply) => {
                pong(reply);
                Ok(())
            }
            GatewayMessage::AcceptingEnded if state.app.stopping.is_cancelled() => Ok(()),
            GatewayMessage::AcceptingEnded => Err("accepting connections broke off".into()),
        }
    }
}

impl GatewayState {
    async fn stop(&mut self, limit: Duration) {
        self.app.stopping.cancel();
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.await;
        }
        if let Some(socket) = self.remove.take()
            && let Err(cause) = std::fs::remove_file(&socket)
        {
            error!(socket = %socket.display(), %cause, "cannot remove the socket");
        }
        self.sessions.close();
        if timeout(limit, self.sessions.wait()).await.is_err() {
            debug!(open = self.sessions.len(), "sessions are broken off");
        }
    }
}
