//! Clusters that others made: a kubeconfig that somebody gave says where the API is and who we are.

use std::sync::Arc;

use async_trait::async_trait;
use muster_engine::failure::Failure;
use muster_engine::member::Member;
use muster_protocol::SecretString;
use tokio::sync::OnceCell;

use super::{Candidate, Clients, Connector, clients};

/// Reaches a cluster with a kubeconfig.
pub struct KubeconfigConnector {
    kubeconfig: SecretString,
    clients: OnceCell<Arc<Clients>>,
}

impl KubeconfigConnector {
    /// A connector for the current context of this kubeconfig.
    pub fn new(kubeconfig: SecretString) -> Self {
        Self { kubeconfig, clients: OnceCell::new() }
    }
}

#[async_trait]
impl Connector for KubeconfigConnector {
    fn candidates(&self, _: &[Member]) -> Vec<Candidate> {
        vec![Candidate { name: "the kubeconfig's server".to_owned(), address: String::new() }]
    }

    async fn connect(&self, _: &Candidate) -> Result<Arc<Clients>, Failure> {
        let made = self.clients.get_or_try_init(async || clients(&self.kubeconfig).await.map(Arc::new)).await?;
        Ok(Arc::clone(made))
    }
}
