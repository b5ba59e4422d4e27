//! Clusters of our own: the cluster's authority is in its material, so Muster issues its client certificate itself. It
//! lives for days and is renewed in time; nothing has to be kept.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use muster_engine::context::{ClusterContext, Material};
use muster_engine::failure::Failure;
use muster_engine::member::Member;
use muster_engine::words::chain;
use muster_material::issuer::{CertificateIssuer, ShortLived, Subject};
use muster_protocol::ErrorCode;
use muster_protocol::model::host::Role;
use tokio::sync::Mutex;

use super::{Candidate, Clients, Connector, clients, kubeconfig, server_url};

/// The material's entry with the certificate (PEM) of the cluster's authority, `/etc/kubernetes/pki/ca.crt` on its machines.
pub const AUTHORITY_CERTIFICATE: &str = "kubernetes-ca.crt";
/// The material's entry with the authority's private key (PEM).
pub const AUTHORITY_KEY: &str = "kubernetes-ca.key";

/// How long a client certificate is valid.
const LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);
/// A certificate that ends sooner is replaced.
const RENEW_BEFORE: Duration = Duration::from_secs(2 * 24 * 3600);
/// The name and group under which the API knows Muster. The group needs no binding, so it works from the first moment on.
const MUSTER: Subject<'_> = Subject { common_name: "muster", organisation: "system:masters" };

/// Reaches a cluster with certificates that it issues from the cluster's own authority.
pub struct AuthorityConnector {
    cluster: Arc<ClusterContext>,
    state: Mutex<AuthorityState>,
}

#[derive(Default)]
struct AuthorityState {
    certificate: Option<ShortLived>,
    clients: BTreeMap<String, Arc<Clients>>,
}

impl AuthorityConnector {
    /// A connector for this cluster.
    pub fn new(cluster: Arc<ClusterContext>) -> Self {
        Self { cluster, state: Mutex::default() }
    }
}

#[async_trait]
impl Connector for AuthorityConnector {
    fn candidates(&self, members: &[Member]) -> Vec<Candidate> {
        let control_planes = members.iter().filter(|member| member.role == Role::ControlPlane);
        let candidate =
            |member: &Member| Candidate { name: member.machine.to_string(), address: member.access.address.clone() };
        control_planes.map(candidate).collect()
    }

    async fn connect(&self, candidate: &Candidate) -> Result<Arc<Clients>, Failure> {
        let mut state = self.state.lock().await;
        let AuthorityState { certificate, clients: known } = &mut *state;
        let issued = match certificate.take().filter(|issued| !ends_soon(issued)) {
            Some(issued) => issued,
            None => {
                known.clear();
                issuer(&self.cluster.material)?.issue_client(MUSTER, LIFETIME).map_err(|error| unusable(&error))?
            }
        };
        let issued = certificate.insert(issued);
        if let Some(known) = known.get(&candidate.address) {
            return Ok(Arc::clone(known));
        }
        let authority = self.cluster.material.get(AUTHORITY_CERTIFICATE).unwrap_or_default();
        let server = server_url(&candidate.address);
        let text = kubeconfig(self.cluster.name(), &server, authority, MUSTER.common_name, &issued.identity);
        let made = Arc::new(clients(&text).await?);
        known.insert(candidate.address.clone(), Arc::clone(&made));
        Ok(made)
    }
}

fn ends_soon(issued: &ShortLived) -> bool {
    issued.not_after.duration_since(SystemTime::now()).is_ok_and(|left| left < RENEW_BEFORE)
        || issued.not_after <= SystemTime::now()
}

/// The cluster's authority.
pub(super) fn issuer(material: &Material) -> Result<CertificateIssuer, Failure> {
    let entry = |name: &str| {
        material.get(name).ok_or_else(|| {
            let message = format!("the cluster's material has no `{name}`");
            Failure::not_applied(ErrorCode::Internal, message).permanent()
        })
    };
    CertificateIssuer::from_pem(entry(AUTHORITY_CERTIFICATE)?, entry(AUTHORITY_KEY)?).map_err(|error| unusable(&error))
}

pub(super) fn unusable(error: &dyn std::error::Error) -> Failure {
    let message = format!("the cluster's authority cannot be used: {}", chain(error));
    Failure::not_applied(ErrorCode::Internal, message).permanent()
}

#[cfg(test)]
mod tests {
    use muster_protocol::SecretString;

    use super::*;
    use crate::fixtures;

    fn cluster_with_authority() -> ClusterContext {
        let mut cluster = fixtures::cluster();
        let authority = muster_material::pki::Authority::create(cluster.name()).unwrap();
        let entries = &mut cluster.material.0;
        entries.insert(AUTHORITY_CERTIFICATE.to_owned(), SecretString::new(authority.certificate_pem()));
        entries.insert(AUTHORITY_KEY.to_owned(), authority.key_pem());
        cluster
    }

    fn candidate(address: &str) -> Candidate {
        Candidate { name: address.to_owned(), address: address.to_owned() }
    }

    #[tokio::test]
    async fn clients_stay_until_their_certificate_is_renewed() {
        let connector = AuthorityConnector::new(Arc::new(cluster_with_authority()));
        let first = connector.connect(&candidate("10.0.0.1")).await.unwrap();
        assert_eq!(first.url, "https://10.0.0.1:6443");
        assert!(Arc::ptr_eq(&first, &connector.connect(&candidate("10.0.0.1")).await.unwrap()));
        connector.state.lock().await.certificate.as_mut().unwrap().not_after = SystemTime::now() + RENEW_BEFORE / 2;
        let renewed = connector.connect(&candidate("10.0.0.1")).await.unwrap();
        assert!(!Arc::ptr_eq(&first, &renewed));
        assert!(!ends_soon(connector.state.lock().await.certificate.as_ref().unwrap()));
    }

    #[tokio::test]
    async fn a_cluster_without_an_authority_is_told_so_by_the_entry() {
        let connector = AuthorityConnector::new(Arc::new(fixtures::cluster()));
        let failure = connector.connect(&candidate("10.0.0.1")).await.err().unwrap();
        assert!(failure.message.contains(AUTHORITY_CERTIFICATE), "{failure}");
    }
}
