//! Kubeconfigs for people: each with a certificate of its own, and rights that end before or with it.
//!
//! Kubernetes knows no list of revoked certificates. So a certificate itself allows nothing: it names a group that is
//! only its own, and a binding gives that group a role. Without the binding, the certificate is worth nothing. The binding
//! tells for which renewal of the cluster's certificates it was made; the next renewal removes it on the machines
//! (`muster_provision`'s `revoke.sh`).

use std::time::SystemTime;

use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleRef, Subject as BoundSubject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::{DeleteParams, ListParams, PostParams};
use muster_engine::access::AccessOrder;
use muster_engine::context::{ClusterContext, mark};
use muster_engine::failure::Failure;
use muster_material::issuer::Subject;
use muster_protocol::model::access::{AccessFile, AccessKind};
use muster_protocol::model::token::AccessRole;
use muster_protocol::{ErrorCode, SecretBytes, Timestamp};
use tracing::warn;

use super::authority::{AUTHORITY_CERTIFICATE, issuer, unusable};
use super::{Clients, kubeconfig};
use crate::failures::{Answer as _, is_missing};
use crate::marks::{Labels, MANAGED_BY, MUSTER};

/// On a binding: that it is a person's. Renewals find it by this label.
const ACCESS: &str = "io.muster.access";
/// The value of [`ACCESS`].
const PERSON: &str = "person";
/// On a binding: for which renewal of the cluster's certificates it was made.
const RENEWAL: &str = "io.muster.renewal";
/// On a binding: when the certificate ends.
const NOT_AFTER: &str = "io.muster.not-after";
/// Both the name of the binding and the group of the certificate, with a number that is used once.
const PREFIX: &str = "muster-access-";

/// A kubeconfig for whoever asks, which reaches the API server of these clients.
pub(crate) async fn person(
    cluster: &ClusterContext,
    clients: &Clients,
    order: &AccessOrder,
) -> Result<AccessFile, Failure> {
    order.expect_kind(AccessKind::Kubeconfig)?;
    let role = role_of(order.role)?;
    let group = format!("{PREFIX}{:016x}", rand::random::<u64>());
    let holder = order.holder();
    let subject = Subject { common_name: &holder, organisation: &group };
    let issued = issuer(&cluster.material)?.issue_client(subject, order.lifetime).map_err(|error| unusable(&error))?;
    let not_after = timestamp(issued.not_after);
    let bindings: Api<ClusterRoleBinding> = Api::all(clients.requests.clone());
    remove_ended(cluster, &bindings).await?;
    let binding = binding(cluster, order, &group, role, not_after);
    bindings.create(&PostParams::default(), &binding).await.writing("give the certificate its rights")?;
    let authority = cluster.material.get(AUTHORITY_CERTIFICATE).unwrap_or_default();
    // Beside others in one file, the user must be told from those of other clusters.
    let user = format!("{}/{holder}", cluster.name());
    let text = kubeconfig(cluster.name(), &clients.url, authority, &user, &issued.identity);
    Ok(AccessFile {
        kind: AccessKind::Kubeconfig,
        name: format!("{}.kubeconfig", cluster.name()),
        role: order.role,
        not_after,
        content: SecretBytes::new(text.expose()),
    })
}

/// Kubernetes' own role for a role of ours.
fn role_of(role: AccessRole) -> Result<&'static str, Failure> {
    match role {
        AccessRole::Viewer => Ok("view"),
        AccessRole::Operator => Ok("edit"),
        AccessRole::Admin => Ok("cluster-admin"),
        AccessRole::Unknown(_) => {
            let message = "there is no such role in this release";
            Err(Failure::not_applied(ErrorCode::InvalidArgument, message).permanent())
        }
    }
}

fn binding(
    cluster: &ClusterContext,
    order: &AccessOrder,
    group: &str,
    role: &str,
    not_after: Timestamp,
) -> ClusterRoleBinding {
    let labels = Labels::from([
        (mark::INSTANCE.to_owned(), cluster.instance.to_string()),
        (mark::CLUSTER.to_owned(), cluster.cluster.to_string()),
        (MANAGED_BY.to_owned(), MUSTER.to_owned()),
        (ACCESS.to_owned(), PERSON.to_owned()),
        (RENEWAL.to_owned(), order.renewal.to_string()),
    ]);
    let annotations = Labels::from([
        (NOT_AFTER.to_owned(), not_after.to_string()),
        ("io.muster.who".to_owned(), order.who.to_string()),
    ]);
    const API_GROUP: &str = "rbac.authorization.k8s.io";
    ClusterRoleBinding {
        metadata: ObjectMeta {
            name: Some(group.to_owned()),
            labels: Some(labels),
            annotations: Some(annotations),
            ..ObjectMeta::default()
        },
        role_ref: RoleRef { api_group: API_GROUP.to_owned(), kind: "ClusterRole".to_owned(), name: role.to_owned() },
        subjects: Some(vec![BoundSubject {
            api_group: Some(API_GROUP.to_owned()),
            kind: "Group".to_owned(),
            name: group.to_owned(),
            namespace: None,
        }]),
    }
}

/// Removes the bindings whose certificates have ended. One that cannot be removed is tried again the next time: its
/// certificate is refused anyway.
async fn remove_ended(cluster: &ClusterContext, bindings: &Api<ClusterRoleBinding>) -> Result<(), Failure> {
    let selector = format!("{},{ACCESS}={PERSON}", crate::marks::selector_of_cluster(cluster));
    let known = bindings.list(&ListParams::default().labels(&selector)).await.reading("list what was given out")?;
    let now = timestamp(SystemTime::now());
    for binding in known.items.iter().filter(|binding| has_ended(&binding.metadata, now)) {
        let name = binding.metadata.name.as_deref().unwrap_or_default();
        match bindings.delete(name, &DeleteParams::default()).await {
            Ok(_) => {}
            Err(error) if is_missing(&error) => {}
            Err(error) => warn!(cluster = %cluster.name(), binding = name, %error, "an ended binding stays"),
        }
    }
    Ok(())
}

fn has_ended(metadata: &ObjectMeta, now: Timestamp) -> bool {
    let not_after = metadata.annotations.as_ref().and_then(|all| all.get(NOT_AFTER));
    not_after.and_then(|text| text.parse::<Timestamp>().ok()).is_some_and(|not_after| not_after < now)
}

fn timestamp(at: SystemTime) -> Timestamp {
    let since_1970 = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD as BASE64;
    use muster_protocol::{Principal, SecretString};
    use serde_json::{Value, json};

    use super::*;
    use crate::access::AUTHORITY_KEY;
    use crate::fixtures;
    use crate::scripted::{self, Heard, status};

    const BINDINGS: &str = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";

    fn cluster() -> ClusterContext {
        let mut cluster = fixtures::cluster();
        let authority = muster_material::pki::Authority::create(cluster.name()).unwrap();
        let certificate = SecretString::new(authority.certificate_pem());
        cluster.material.0.insert(AUTHORITY_CERTIFICATE.to_owned(), certificate);
        cluster.material.0.insert(AUTHORITY_KEY.to_owned(), authority.key_pem());
        cluster
    }

    fn order(role: AccessRole) -> AccessOrder {
        let lifetime = Duration::from_secs(3600);
        AccessOrder { who: Principal::user("anna"), kind: None, role, lifetime, renewal: 3 }
    }

    async fn asked(
        answer: impl Fn(&str) -> Option<(u16, Value)> + Send + Sync + 'static,
    ) -> (Result<AccessFile, Failure>, Heard) {
        let (client, heard) = scripted::client(answer);
        let url = "https://10.0.0.2:6443".to_owned();
        let clients = Arc::new(Clients { requests: client.clone(), streams: client, url });
        (person(&cluster(), &clients, &order(AccessRole::Operator)).await, heard)
    }

    fn made(request: &str) -> Option<(u16, Value)> {
        let role = json!({ "apiGroup": "", "kind": "ClusterRole", "name": "edit" });
        (request == format!("POST {BINDINGS}")).then(|| (201, json!({ "metadata": { "name": "x" }, "roleRef": role })))
    }

    #[tokio::test]
    async fn a_persons_kubeconfig_is_for_the_server_that_answered_and_has_a_certificate_that_ends() {
        let (file, heard) = asked(made).await;
        let file = file.unwrap();
        assert_eq!(heard.changes(), [format!("POST {BINDINGS}")]);
        let config: Value = serde_saphyr::from_str(std::str::from_utf8(file.content.expose()).unwrap()).unwrap();
        assert_eq!(config["clusters"][0]["cluster"]["server"], "https://10.0.0.2:6443");
        assert_eq!(config["clusters"][0]["cluster"]["tls-server-name"], super::super::kubeconfig::SERVER_NAME);
        assert_eq!(config["users"][0]["name"], "demo/muster:user:anna");
        assert_eq!(config["contexts"][0]["context"]["user"], config["users"][0]["name"]);
        let certificate = config["users"][0]["user"]["client-certificate-data"].as_str().unwrap();
        assert!(BASE64.decode(certificate).unwrap().starts_with(b"-----BEGIN CERTIFICATE-----"));
        let left = file.not_after.since(timestamp(SystemTime::now()));
        assert!(left <= Duration::from_secs(3600) && left > Duration::from_secs(3540), "{left:?}");
    }

    #[tokio::test]
    async fn without_its_rights_no_certificate_is_given_out() {
        let (file, _) = asked(|request| request.starts_with("POST ").then(|| (403, status(403, "no rights")))).await;
        assert_eq!(file.unwrap_err().code, ErrorCode::Credentials);
    }

    #[test]
    fn only_the_certificates_own_group_gets_the_role_and_the_binding_tells_its_renewal() {
        let roles =
            [(AccessRole::Viewer, "view"), (AccessRole::Operator, "edit"), (AccessRole::Admin, "cluster-admin")];
        for (role, expected) in roles {
            let now = timestamp(SystemTime::now());
            let bound = binding(&cluster(), &order(role), "muster-access-1", role_of(role).unwrap(), now);
            assert_eq!(bound.role_ref.name, expected);
            let subjects = bound.subjects.unwrap();
            assert_eq!((subjects.len(), subjects[0].kind.as_str()), (1, "Group"));
            assert_eq!(subjects[0].name, "muster-access-1");
            let labels = bound.metadata.labels.unwrap();
            assert_eq!((labels[ACCESS].as_str(), labels[RENEWAL].as_str()), (PERSON, "3"));
        }
        assert!(role_of(AccessRole::Unknown(9)).is_err());
    }

    #[tokio::test]
    async fn bindings_of_certificates_that_have_ended_go() {
        let binding = |name: &str, not_after: &str| {
            json!({
                "metadata": { "name": name, "annotations": { NOT_AFTER: not_after } },
                "roleRef": { "apiGroup": "", "kind": "ClusterRole", "name": "edit" },
            })
        };
        let items = [
            binding("ended", "2020-01-01T00:00:00.000Z"),
            binding("holds", "2999-01-01T00:00:00.000Z"),
            binding("unreadable", "soon"),
        ];
        let (file, heard) = asked(move |request| match request.strip_prefix("GET ") {
            Some(BINDINGS) => Some((200, json!({ "metadata": {}, "items": items.clone() }))),
            Some(_) | None => made(request),
        })
        .await;
        file.unwrap();
        assert_eq!(heard.changes(), [format!("DELETE {BINDINGS}/ended"), format!("POST {BINDINGS}")]);
    }
}
