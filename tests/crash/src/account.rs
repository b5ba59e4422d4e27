//! The account of the story: whoever replaces it has the infrastructure take no other key from then on.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
use muster_protocol::{ClusterId, ErrorCode, InstanceId};

/// The keys that the infrastructure takes. It outlives the daemon, as an infrastructure does.
#[derive(Clone, Default)]
pub struct Keys(Arc<Mutex<BTreeSet<String>>>);

impl Keys {
    /// Takes this one too: the daemon may be about to use it.
    pub fn take(&self, key: &str) {
        self.lock().insert(key.to_owned());
    }

    /// Takes no other any more: the daemon has promised to use this one.
    pub fn take_only(&self, key: &str) {
        *self.lock() = BTreeSet::from([key.to_owned()]);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The driver of an account: it shows the account's key with every call.
pub struct AccountDriver {
    /// The infrastructure.
    pub infrastructure: Arc<dyn Driver>,
    /// The account's key.
    pub key: String,
    /// Which are taken.
    pub keys: Keys,
}

impl AccountDriver {
    fn admitted(&self) -> Result<&dyn Driver, Failure> {
        if self.keys.lock().contains(&self.key) {
            return Ok(self.infrastructure.as_ref());
        }
        let message = format!("the key `{}` is not taken any more", self.key);
        Err(Failure::not_applied(ErrorCode::Credentials, message).permanent())
    }
}

impl Needs for AccountDriver {
    fn needs(&self, desired: &Desired) -> Vec<Need> {
        self.infrastructure.needs(desired)
    }
}

#[async_trait]
impl Driver for AccountDriver {
    fn listing_lag(&self) -> Duration {
        self.infrastructure.listing_lag()
    }

    async fn check(&self) -> Vec<Finding> {
        self.infrastructure.check().await
    }

    async fn preflight(&self, spec: &ClusterSpec, promised: Promised<'_>) -> Result<(), Failure> {
        self.admitted()?.preflight(spec, promised).await
    }

    async fn create(&self, cluster: &ClusterContext, order: &InfraOrder) -> Result<Present, Failure> {
        self.admitted()?.create(cluster, order).await
    }

    async fn look_up(&self, cluster: &ClusterContext, key: &InfraKey) -> Result<Option<Present>, Failure> {
        self.admitted()?.look_up(cluster, key).await
    }

    async fn look_up_known(
        &self,
        cluster: &ClusterContext,
        key: &InfraKey,
        known: &Present,
    ) -> Result<Option<Present>, Failure> {
        self.admitted()?.look_up_known(cluster, key, known).await
    }

    async fn start(&self, cluster: &ClusterContext, key: &InfraKey, id: &str) -> Result<Present, Failure> {
        self.admitted()?.start(cluster, key, id).await
    }

    async fn remove(&self, cluster: &ClusterContext, key: &InfraKey, id: &str) -> Result<(), Failure> {
        self.admitted()?.remove(cluster, key, id).await
    }

    async fn observe(&self, cluster: &ClusterContext) -> Result<Vec<ObservedResource>, Failure> {
        self.admitted()?.observe(cluster).await
    }

    async fn list_owned(&self, instance: InstanceId, cluster: Option<ClusterId>) -> Result<Vec<Owned>, Failure> {
        self.admitted()?.list_owned(instance, cluster).await
    }

    async fn list_marked(&self) -> Result<Vec<Marked>, Failure> {
        self.admitted()?.list_marked().await
    }

    fn gives_keys_anew(&self) -> bool {
        self.infrastructure.gives_keys_anew()
    }
}
