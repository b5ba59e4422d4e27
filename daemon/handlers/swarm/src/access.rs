//! Docker contexts for people: each with a certificate of its own that ends.
//!
//! A Docker Engine tells no users apart: whoever may speak to it may do everything, also on its machine. So a context is
//! for administrators only. Its certificate is of the authority of the present renewal, and a machine that was renewed
//! since refuses it (`muster_material::people`).

use std::time::SystemTime;

use muster_engine::access::AccessOrder;
use muster_engine::context::ClusterContext;
use muster_engine::failure::Failure;
use muster_engine::member::Member;
use muster_material::issuer::Subject;
use muster_material::material::{self, MaterialError};
use muster_material::people::PeoplesAuthority;
use muster_material::pki::Identity;
use muster_protocol::model::access::{AccessFile, AccessKind};
use muster_protocol::model::token::AccessRole;
use muster_protocol::{ErrorCode, Name, SecretBytes, SecretString, Timestamp};
use serde_json::json;

use crate::connect::TlsConnector;
use crate::failures::Answer as _;
use crate::managers::Managers;

/// The organisation in people's certificates.
const PEOPLE: &str = "muster people";

/// A context of a manager that answers.
pub(crate) async fn access(
    cluster: &ClusterContext,
    managers: &Managers,
    members: &[Member],
    order: &AccessOrder,
) -> Result<AccessFile, Failure> {
    order.expect_kind(AccessKind::DockerContext)?;
    if order.role != AccessRole::Admin {
        let message = "a Docker context allows everything, so the role `admin` is needed for one";
        return Err(Failure::not_applied(ErrorCode::PermissionDenied, message)
            .permanent()
            .with_remedy("ask an administrator, or use `muster service …`"));
    }
    let holder = order.holder();
    let issued = PeoplesAuthority::derive(&cluster.material, cluster.name(), order.renewal)
        .and_then(|people| {
            let subject = Subject { common_name: &holder, organisation: PEOPLE };
            Ok(people.issuer().issue_client(subject, order.lifetime)?)
        })
        .map_err(broken_material)?;
    let authority = material::entry(&cluster.material, material::CA_CERTIFICATE).map_err(broken_material)?;
    let manager = managers.find(members).await?;
    let endpoint = manager.engine.endpoint();
    prove(cluster, endpoint, &issued.identity).await?;
    let context = tar_of_context(cluster.name(), endpoint, authority, &issued.identity).map_err(|error| {
        Failure::not_applied(ErrorCode::Internal, format!("the context cannot be packed: {error}")).permanent()
    })?;
    let since_1970 = issued.not_after.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Ok(AccessFile {
        kind: AccessKind::DockerContext,
        name: format!("{}.dockercontext", cluster.name()),
        role: order.role,
        not_after: Timestamp::from_millis(u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)),
        content: SecretBytes::new(context),
    })
}

/// Asks the engine with the new certificate: a machine that was prepared by an earlier release, or that waits for its
/// renewal, does not know the authority yet, and its context would be worth nothing.
async fn prove(cluster: &ClusterContext, endpoint: &str, identity: &Identity) -> Result<(), Failure> {
    let mut shown = cluster.material.clone();
    let certificate = SecretString::new(identity.certificate_pem.as_str());
    shown.0.insert(material::CLIENT_CERTIFICATE.to_owned(), certificate);
    shown.0.insert(material::CLIENT_KEY.to_owned(), identity.key_pem.clone());
    let engine = TlsConnector::new(&shown).engine_at(endpoint)?;
    let answer = engine.api().version().await.reading("ask the engine with the new certificate");
    answer.map(drop).map_err(|failure| {
        if failure.code != ErrorCode::Credentials {
            return failure;
        }
        failure.with_remedy(
            "wait until the renewal that is under way is done; if none is, give the machines new certificates with \
             `muster cluster renew`",
        )
    })
}

/// What `docker context import` reads: the context's description and the files of its TLS.
fn tar_of_context(cluster: &Name, endpoint: &str, authority: &str, identity: &Identity) -> std::io::Result<Vec<u8>> {
    let about = json!({
        "Name": cluster.as_str(),
        "Metadata": { "Description": format!("Muster's cluster {cluster}") },
        "Endpoints": { "docker": { "Host": format!("tcp://{endpoint}"), "SkipTLSVerify": false } },
    });
    let mut tar = tar::Builder::new(Vec::new());
    let mut put = |path: &str, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o600);
        header.set_size(u64::try_from(content.len()).unwrap_or_default());
        tar.append_data(&mut header, path, content)
    };
    put("meta.json", about.to_string().as_bytes())?;
    put("tls/docker/ca.pem", authority.as_bytes())?;
    put("tls/docker/cert.pem", identity.certificate_pem.as_bytes())?;
    put("tls/docker/key.pem", identity.key_pem.expose().as_bytes())?;
    tar.into_inner()
}

fn broken_material(error: MaterialError) -> Failure {
    Failure::not_applied(ErrorCode::Internal, error.to_string()).permanent()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_context_names_the_manager_and_has_what_tls_needs() {
        let identity = Identity { certificate_pem: "certificate".to_owned(), key_pem: SecretString::new("key") };
        let context = tar_of_context(&"demo".parse().unwrap(), "10.0.0.2:2376", "authority", &identity).unwrap();
        let mut files = std::collections::BTreeMap::new();
        for entry in tar::Archive::new(context.as_slice()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().display().to_string();
            assert_eq!(entry.header().mode().unwrap(), 0o600, "{path}");
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            files.insert(path, text);
        }
        let about: serde_json::Value = serde_json::from_str(&files["meta.json"]).unwrap();
        assert_eq!(about["Endpoints"]["docker"]["Host"], "tcp://10.0.0.2:2376");
        let tls = ["ca", "cert", "key"].map(|name| files[&format!("tls/docker/{name}.pem")].as_str());
        assert_eq!(tls, ["authority", "certificate", "key"]);
    }
}
