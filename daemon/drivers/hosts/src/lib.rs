//! Machines that somebody already has, reached over SSH.
//!
//! One driver is the hosts of one account. A machine is made by claiming a free host, and removed by leaving the host as it
//! was found. The claim is a file on the host itself, so it is found again after a crash, and two clusters or two daemons
//! never have one host. See `docs/infrastructure/hosts.md` for operators.
//!
//! ```text
//!   options, entry    what the account says        contact     one host, logged in
//!   register, notes   what the daemon keeps        survey      all hosts at once
//!   facts             whether a host fits          scripts     what runs on a host
//! ```

mod check;
mod claim;
mod contact;
mod entry;
mod facts;
mod machine;
mod notes;
mod options;
mod register;
mod scripts;
mod survey;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use muster_engine::context::ClusterContext;
use muster_engine::desired::Desired;
use muster_engine::driver::{Driver, InfraOrder, Marked, Need, Needs, Owned, Promised};
use muster_engine::failure::Failure;
use muster_engine::ledger::{InfraKey, Present};
use muster_engine::observed::ObservedResource;
use muster_protocol::model::account::Finding;
use muster_protocol::model::cluster::ClusterSpec;
use muster_protocol::{ClusterId, ErrorCode, InstanceId, Name};
use tokio::sync::Mutex;

pub use crate::entry::Host;
pub use crate::options::{Habits, HostsOptions};
pub use crate::register::Register;

/// The driver of the hosts of one account.
pub struct HostsDriver {
    options: HostsOptions,
    register: Arc<Register>,
    last_survey: Mutex<survey::Kept>,
    /// Hosts that do not answer, with the number of surveys in a row.
    silent: std::sync::Mutex<BTreeMap<Name, u32>>,
}

impl HostsDriver {
    /// A driver with these options, and with the register of its account. Nothing is asked yet.
    pub fn new(options: HostsOptions, register: Arc<Register>) -> Self {
        Self { options, register, last_survey: Mutex::default(), silent: std::sync::Mutex::default() }
    }
}

impl Needs for HostsDriver {
    /// Hosts have a network of their own.
    fn needs(&self, desired: &Desired) -> Vec<Need> {
        desired.machines().map(|(name, _)| Need::new(InfraKey::for_machine(name), Vec::new())).collect()
    }
}

#[async_trait]
impl Driver for HostsDriver {
    /// A host knows at once that it is claimed.
    fn listing_lag(&self) -> Duration {
        Duration::ZERO
    }

    async fn check(&self) -> Vec<Finding> {
        self.findings().await
    }

    async fn preflight(&self, spec: &ClusterSpec, promised: Promised<'_>) -> Result<(), Failure> {
        self.refuse_what_cannot_be(spec, promised).await
    }

    async fn create(&self, cluster: &ClusterContext, order: &InfraOrder) -> Result<Present, Failure> {
        machines_only(&order.key)?;
        self.claim_machine(cluster, order).await
    }

    async fn look_up(&self, cluster: &ClusterContext, key: &InfraKey) -> Result<Option<Present>, Failure> {
        machines_only(key)?;
        self.look_up_machine(cluster, key).await
    }

    async fn start(&self, cluster: &ClusterContext, key: &InfraKey, id: &str) -> Result<Present, Failure> {
        machines_only(key)?;
        self.wait_for(cluster, key, id).await
    }

    async fn remove(&self, cluster: &ClusterContext, key: &InfraKey, id: &str) -> Result<(), Failure> {
        machines_only(key)?;
        self.leave(cluster, key, id).await
    }

    async fn observe(&self, cluster: &ClusterContext) -> Result<Vec<ObservedResource>, Failure> {
        self.observe_machines(cluster).await
    }

    async fn list_owned(&self, instance: InstanceId, cluster: Option<ClusterId>) -> Result<Vec<Owned>, Failure> {
        self.everything_owned(instance, cluster).await
    }

    /// A host that does not answer may have a claim, of which there is no note any more: then it is not known what there is.
    async fn list_marked(&self) -> Result<Vec<Marked>, Failure> {
        let survey = self.survey_now().await?;
        if let Some(failure) = survey.hosts.values().find_map(|seen| seen.as_ref().err()) {
            return Err(failure
                .clone()
                .with_remedy("see that all hosts of the account answer, or take them out of it"));
        }
        Ok(survey.claims().map(|(host, claim, _)| claim.marked(host)).collect())
    }

    /// Whoever looks a host up completes its claim, with the key that lets the cluster in.
    fn gives_keys_anew(&self) -> bool {
        true
    }
}

fn machines_only(key: &InfraKey) -> Result<(), Failure> {
    if key.machine().is_some() {
        return Ok(());
    }
    Err(Failure::not_applied(ErrorCode::Internal, format!("`{key}` is nothing that hosts have")).permanent())
}
