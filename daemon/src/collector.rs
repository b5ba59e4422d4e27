//! stub to be replaced
use crate::config::Config;
use crate::gateway::context::Context;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use std::sync::Arc;
/// x
pub struct Habits;
impl From<&Config> for Habits {
    fn from(_: &Config) -> Self {
        Self
    }
}
/// x
pub struct Collector;
/// x
pub enum CollectorMessage {}
impl Actor for Collector {
    type Msg = CollectorMessage;
    type State = ();
    type Arguments = (Arc<Context>, Habits);
    async fn pre_start(&self, _: ActorRef<Self::Msg>, _: Self::Arguments) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}
