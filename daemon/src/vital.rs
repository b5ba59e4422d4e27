//! Whether the daemon lives, as systemd's watchdog is told: each part that nothing works without must answer. A part that
//! ends is noticed by the actor tree; this is for one that hangs.

use std::time::Duration;

use muster_store::Store;
use ractor::{ActorRef, RpcReplyPort, rpc::CallResult};
use tokio::time::timeout;

use crate::fleet::FleetMessage;
use crate::gateway::actor::GatewayMessage;

/// Those parts.
#[derive(Clone)]
pub struct Vital {
    /// Starts supervisors.
    pub fleet: ActorRef<FleetMessage>,
    /// Answers requests.
    pub gateway: ActorRef<GatewayMessage>,
    /// Its writer stores what is done.
    pub store: Store,
}

impl Vital {
    /// The name of a part that does not answer within this time; none if all do.
    pub async fn silent(&self, limit: Duration) -> Option<&'static str> {
        let fleet = async { is_answered(self.fleet.call(FleetMessage::Ping, Some(limit)).await) };
        let gateway = async { is_answered(self.gateway.call(GatewayMessage::Ping, Some(limit)).await) };
        let store = async { timeout(limit, self.store.reaches_writer()).await == Ok(true) };
        let (fleet, gateway, store) = tokio::join!(fleet, gateway, store);
        [(fleet, "the fleet"), (gateway, "the gateway"), (store, "the store's writer")]
            .into_iter()
            .find_map(|(answers, name)| (!answers).then_some(name))
    }
}

fn is_answered<E>(call: Result<CallResult<()>, E>) -> bool {
    matches!(call, Ok(CallResult::Success(())))
}

/// Answers that a part lives.
pub fn pong(reply: RpcReplyPort<()>) {
    // Nobody waits any more: the next ping is answered in time.
    let _ = reply.send(());
}
