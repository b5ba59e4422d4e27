//! Which orchestrators and infrastructures there are, as far as the rest of the daemon knows: something that makes
//! drivers, preparers and handlers. Only `built_in` lists them by name.

pub mod built_in;
#[cfg_attr(not(feature = "ec2"), path = "without_ec2.rs")]
pub mod ec2;
pub mod hosts;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use muster_engine::context::ClusterContext;
use muster_engine::driver::Driver;
use muster_engine::handler::Handler;
use muster_engine::preparer::Preparer;
use muster_engine::rollout::Rollout;
use muster_protocol::model::account::AccountInfo;
use muster_protocol::model::cluster::{Infrastructure, Orchestrator};
use muster_protocol::{Error, SecretString};

/// An account with its credentials, as a driver needs it.
#[derive(Clone, Debug)]
pub struct Account {
    /// What is shown of it.
    pub info: AccountInfo,
    /// Its credentials.
    pub credentials: BTreeMap<String, SecretString>,
}

/// Makes drivers, preparers and handlers. Tests put their own in place of [`built_in::BuiltIn`].
#[async_trait]
pub trait Kinds: Send + Sync {
    /// Done when those that keep anything of their own have read it; the cause if they cannot. The daemon answers
    /// meanwhile, and has clusters taken care of after that.
    async fn opened(&self) -> Result<(), Error> {
        Ok(())
    }

    /// The driver of an infrastructure; without an account, with its defaults.
    fn driver(&self, infrastructure: Infrastructure, account: Option<&Account>) -> Result<Arc<dyn Driver>, Error>;

    /// The preparer for an orchestrator's machines on an infrastructure.
    fn preparer(&self, orchestrator: Orchestrator, infrastructure: Infrastructure) -> Result<Arc<dyn Preparer>, Error>;

    /// In which order other recipes reach an orchestrator's machines.
    fn rollout(&self, orchestrator: Orchestrator) -> Result<Arc<dyn Rollout>, Error>;

    /// The handler of one cluster.
    fn handler(&self, context: Arc<ClusterContext>) -> Result<Arc<dyn Handler>, Error>;
}
