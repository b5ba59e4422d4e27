//! What a joining machine is given: a token of minutes, the cluster's authority to trust, and for a control plane the
//! authorities with their keys. All of it goes into files that only root reads.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use muster_engine::context::ClusterContext;
use muster_engine::failure::Failure;
use muster_engine::machine::MachineFile;
use muster_protocol::{ErrorCode, SecretString};
use serde_json::json;
use zeroize::Zeroizing;

/// How long a token lives that nobody takes back.
pub(super) const MINUTES: &str = "15";
/// The address at which the machine reaches whichever control plane serves is put in on the machine, where its preparation has
/// left that address.
const ENDPOINT: &str = "https://@ENDPOINT@";
/// Where `kubeadm join` looks for it.
const JOIN_KUBECONFIG: &str = "/run/muster/kubernetes-join.conf";
/// The material's entries, and kubeadm's names for them.
const AUTHORITIES: [(&str, &str); 8] = [
    ("kubernetes-ca.crt", "ca.crt"),
    ("kubernetes-ca.key", "ca.key"),
    ("kubernetes-etcd-ca.crt", "etcd/ca.crt"),
    ("kubernetes-etcd-ca.key", "etcd/ca.key"),
    ("kubernetes-front-proxy-ca.crt", "front-proxy-ca.crt"),
    ("kubernetes-front-proxy-ca.key", "front-proxy-ca.key"),
    ("kubernetes-sa.pub", "sa.pub"),
    ("kubernetes-sa.key", "sa.key"),
];

/// A bootstrap token. <https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/>
pub(super) struct Token {
    id: String,
    secret: SecretString,
}

impl Token {
    pub(super) fn random() -> Self {
        let word = |letters: usize| -> String {
            (0..letters)
                .map(|_| char::from(b"abcdefghijklmnopqrstuvwxyz0123456789"[rand::random_range(0..36)]))
                .collect()
        };
        Self { id: word(6), secret: SecretString::new(word(16)) }
    }

    /// The part that is no secret.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The object by which the cluster knows it. Its end is put in on the machine, whose clock is nearer to the cluster's.
    pub(super) fn secret(&self) -> Result<MachineFile, Failure> {
        let object = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "bootstrap.kubernetes.io/token",
            "metadata": { "name": format!("bootstrap-token-{}", self.id), "namespace": "kube-system" },
            "stringData": {
                "token-id": self.id,
                "token-secret": self.secret.expose(),
                "expiration": "@END@",
                "usage-bootstrap-authentication": "true",
                "usage-bootstrap-signing": "true",
                "auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token",
                "description": "one machine joins with it",
            },
        });
        let text = Zeroizing::new(object.to_string());
        Ok(secret_file(format!("/run/muster/token-{}.json", self.id), &text))
    }

    /// A kubeconfig that trusts the cluster's authority only and shows this token.
    pub(super) fn kubeconfig(&self, cluster: &ClusterContext) -> Result<MachineFile, Failure> {
        let authority = entry(cluster, "kubernetes-ca.crt")?;
        let token = Zeroizing::new(format!("{}.{}", self.id, self.secret.expose()));
        let object = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": "muster", "cluster": {
                "server": ENDPOINT, "certificate-authority-data": BASE64.encode(authority),
            } }],
            "users": [{ "name": "join", "user": { "token": token.as_str() } }],
            "contexts": [{ "name": "join", "context": { "cluster": "muster", "user": "join" } }],
            "current-context": "join",
        });
        let text = Zeroizing::new(object.to_string());
        Ok(secret_file(JOIN_KUBECONFIG.to_owned(), &text))
    }
}

/// The cluster's authorities, for the folder in memory from which a control plane takes them.
pub(super) fn authorities(cluster: &ClusterContext) -> Result<Vec<MachineFile>, Failure> {
    let file =
        |(name, path): &(&'static str, &str)| Ok(secret_file(format!("/run/muster/pki/{path}"), entry(cluster, name)?));
    AUTHORITIES.iter().map(file).collect()
}

fn entry<'a>(cluster: &'a ClusterContext, name: &'static str) -> Result<&'a str, Failure> {
    cluster.material.get(name).ok_or_else(|| {
        let message = format!("the cluster's material has no `{name}`");
        Failure::not_applied(ErrorCode::Internal, message).permanent()
    })
}

fn secret_file(path: String, content: &str) -> MachineFile {
    MachineFile { path, mode: 0o600, content: Zeroizing::new(content.as_bytes().to_vec()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_the_form_that_kubernetes_asks_for_and_is_never_the_same() {
        let (one, other) = (Token::random(), Token::random());
        let is_word = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        assert!(one.id().len() == 6 && is_word(one.id()));
        assert!(one.secret.expose().len() == 16 && is_word(one.secret.expose()));
        assert_ne!(one.secret.expose(), other.secret.expose());
        let file = one.secret().unwrap();
        assert_eq!((file.path, file.mode), (format!("/run/muster/token-{}.json", one.id()), 0o600));
    }
}
