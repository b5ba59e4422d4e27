//! The authorities of one Kubernetes cluster: its own, etcd's, the front proxy's, and the key pair that signs service
//! accounts. They are made here and put on control planes before kubeadm runs, so that no machine makes one and none is
//! ever passed on through the cluster.

use std::time::{Duration, SystemTime};

use muster_engine::context::Material;
use muster_protocol::{Name, SecretString};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use zeroize::Zeroizing;

use crate::material::{MaterialError, entry};
use crate::pki::PkiError;

/// The cluster's authority: API servers, kubelets and users (PEM).
pub const CA_CERTIFICATE: &str = "kubernetes-ca.crt";
/// Its private key (PEM, PKCS #8).
pub const CA_KEY: &str = "kubernetes-ca.key";
/// etcd's authority (PEM).
pub const ETCD_CA_CERTIFICATE: &str = "kubernetes-etcd-ca.crt";
/// Its private key (PEM, PKCS #8).
pub const ETCD_CA_KEY: &str = "kubernetes-etcd-ca.key";
/// The authority of the proxy in front of extension API servers (PEM).
pub const FRONT_PROXY_CA_CERTIFICATE: &str = "kubernetes-front-proxy-ca.crt";
/// Its private key (PEM, PKCS #8).
pub const FRONT_PROXY_CA_KEY: &str = "kubernetes-front-proxy-ca.key";
/// The public key by which service accounts' tokens are known (PEM).
pub const SERVICE_ACCOUNT_PUBLIC_KEY: &str = "kubernetes-sa.pub";
/// The private key that signs them (PEM, PKCS #8).
pub const SERVICE_ACCOUNT_KEY: &str = "kubernetes-sa.key";

/// As kubeadm's own.
const LIFETIME: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// A machine whose clock is behind still accepts an authority that was made just now.
const CLOCK_LEEWAY: Duration = Duration::from_secs(24 * 3600);

/// A kubelet that got one from us renews it itself long before its end.
const KUBELET_LIFETIME: Duration = Duration::from_secs(365 * 24 * 3600);

/// A certificate with which this machine's kubelet shows itself, with its key after it, as the kubelet keeps them (PEM).
pub fn issue_kubelet(material: &Material, machine: &Name) -> Result<SecretString, MaterialError> {
    let failed = |source| PkiError::Issue { subject: format!("the kubelet of {machine}"), source };
    let authority = KeyPair::from_pem(entry(material, CA_KEY)?).map_err(PkiError::Load)?;
    // The issuer needs only the name and key of the authority, and both are the same every time.
    let issuer = Issuer::new(authority_params("kubernetes").map_err(failed)?, authority);
    let now = SystemTime::now();
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "system:nodes");
    params.distinguished_name.push(DnType::CommonName, format!("system:node:{machine}"));
    params.not_before = (now - CLOCK_LEEWAY).into();
    params.not_after = (now + KUBELET_LIFETIME).into();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = params.signed_by(&key, &issuer).map_err(failed)?;
    Ok(SecretString::new(format!("{}{}", certificate.pem(), secret_pem(&key).expose())))
}

/// Adds all of them to a new cluster's material.
pub fn add_to(material: &mut Material) -> Result<(), PkiError> {
    let authorities = [
        ("kubernetes", CA_CERTIFICATE, CA_KEY),
        ("etcd-ca", ETCD_CA_CERTIFICATE, ETCD_CA_KEY),
        ("front-proxy-ca", FRONT_PROXY_CA_CERTIFICATE, FRONT_PROXY_CA_KEY),
    ];
    for (name, certificate, key) in authorities {
        let (certificate_pem, key_pem) = authority(name)?;
        material.0.insert(certificate.to_owned(), SecretString::new(certificate_pem));
        material.0.insert(key.to_owned(), key_pem);
    }
    let failed = |source| PkiError::Issue { subject: "the service accounts".to_owned(), source };
    let pair = KeyPair::generate().map_err(failed)?;
    material.0.insert(SERVICE_ACCOUNT_PUBLIC_KEY.to_owned(), SecretString::new(pair.public_key_pem()));
    material.0.insert(SERVICE_ACCOUNT_KEY.to_owned(), secret_pem(&pair));
    Ok(())
}

fn authority(name: &str) -> Result<(String, SecretString), PkiError> {
    let failed = |source| PkiError::Issue { subject: name.to_owned(), source };
    let params = authority_params(name).map_err(failed)?;
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = params.self_signed(&key).map_err(failed)?;
    Ok((certificate.pem(), secret_pem(&key)))
}

fn authority_params(name: &str) -> Result<CertificateParams, rcgen::Error> {
    let now = SystemTime::now();
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.subject_alt_names = vec![SanType::DnsName(name.try_into()?)];
    params.not_before = (now - CLOCK_LEEWAY).into();
    params.not_after = (now + LIFETIME).into();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages =
        vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment, KeyUsagePurpose::KeyCertSign];
    Ok(params)
}

fn secret_pem(key: &KeyPair) -> SecretString {
    let pem = Zeroizing::new(key.serialize_pem());
    SecretString::new(pem.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clusters_authorities_are_its_own_and_complete() {
        let (mut one, mut other) = (Material::default(), Material::default());
        add_to(&mut one).unwrap();
        add_to(&mut other).unwrap();
        let entries = [
            (CA_CERTIFICATE, "CERTIFICATE"),
            (CA_KEY, "PRIVATE KEY"),
            (ETCD_CA_CERTIFICATE, "CERTIFICATE"),
            (ETCD_CA_KEY, "PRIVATE KEY"),
            (FRONT_PROXY_CA_CERTIFICATE, "CERTIFICATE"),
            (FRONT_PROXY_CA_KEY, "PRIVATE KEY"),
            (SERVICE_ACCOUNT_PUBLIC_KEY, "PUBLIC KEY"),
            (SERVICE_ACCOUNT_KEY, "PRIVATE KEY"),
        ];
        for (entry, kind) in entries {
            assert!(one.get(entry).unwrap().starts_with(&format!("-----BEGIN {kind}-----")), "{entry}");
            assert_ne!(one.get(entry), other.get(entry), "{entry}");
        }
        assert_eq!(one.0.len(), entries.len());
    }
}
