//! Kubeconfigs: the files with which `kubectl` and other tools, and Muster itself, reach a cluster.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use muster_material::pki::Identity;
use muster_protocol::{Name, SecretString};
use serde_json::json;

/// A name that every API server's certificate has, whatever its address; as `muster_provision` puts it there. So a
/// kubeconfig holds for a machine whose address has changed as well.
pub(super) const SERVER_NAME: &str = "muster-control-plane";

/// A kubeconfig with one cluster, one user and one context, as YAML. `user` is what the file calls its user; the cluster
/// knows the user by the certificate.
pub fn kubeconfig(cluster: &Name, server: &str, authority_pem: &str, user: &str, identity: &Identity) -> SecretString {
    let authority = BASE64.encode(authority_pem);
    let certificate = BASE64.encode(&identity.certificate_pem);
    let key = SecretString::new(BASE64.encode(identity.key_pem.expose()));
    let key = key.expose();
    // What is valid JSON is valid YAML, and quoted as it must be.
    let user = json!(user);
    SecretString::new(format!(
        "apiVersion: v1
kind: Config
clusters:
- name: {cluster}
  cluster:
    server: {server}
    tls-server-name: {SERVER_NAME}
    certificate-authority-data: {authority}
users:
- name: {user}
  user:
    client-certificate-data: {certificate}
    client-key-data: {key}
contexts:
- name: {cluster}
  context:
    cluster: {cluster}
    user: {user}
current-context: {cluster}
"
    ))
}
