//! The cluster's own certificate authority, and what it issues: one server certificate a machine, one client
//! certificate for the handler. Nothing outside the cluster trusts it, and the cluster trusts nothing else.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use muster_protocol::{Name, SecretString};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use zeroize::Zeroizing;

/// A machine whose clock is behind still accepts a certificate that was made just now.
const CLOCK_LEEWAY: Duration = Duration::from_secs(24 * 3600);
/// Certificates live as long as any cluster may: there is no renewal, and who holds the machine holds its key anyway.
const LIFETIME: Duration = Duration::from_secs(20 * 365 * 24 * 3600);

/// Why a certificate could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// The stored key of the authority cannot be read.
    #[error("the cluster's certificate authority cannot be read")]
    Load(#[source] rcgen::Error),
    /// The stored certificate of the authority cannot be read.
    #[error("the certificate of the cluster's authority cannot be read")]
    Unreadable,
    /// A certificate could not be made.
    #[error("a certificate for {subject} could not be made")]
    Issue {
        /// For whom.
        subject: String,
        /// Why.
        #[source]
        source: rcgen::Error,
    },
}

/// A certificate with its private key.
pub struct Identity {
    /// The certificate (PEM).
    pub certificate_pem: String,
    /// The private key (PEM, PKCS #8).
    pub key_pem: SecretString,
}

/// The certificate authority of one cluster.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate_pem: String,
}

impl Authority {
    /// A new authority for the cluster of this name.
    pub fn create(cluster: &Name) -> Result<Self, PkiError> {
        let failed = |source| PkiError::Issue { subject: format!("the authority of {cluster}"), source };
        let key = KeyPair::generate().map_err(failed)?;
        let params = authority_params(&subject(cluster));
        let certificate_pem = params.self_signed(&key).map_err(failed)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), certificate_pem })
    }

    /// The authority that [`Authority::create`] made for the cluster of this name.
    pub fn load(cluster: &Name, certificate_pem: &str, key_pem: &str) -> Result<Self, PkiError> {
        let key = KeyPair::from_pem(key_pem).map_err(PkiError::Load)?;
        // The issuer needs only the name and key of the authority, and both are the same every time.
        Ok(Self {
            issuer: Issuer::new(authority_params(&subject(cluster)), key),
            certificate_pem: certificate_pem.to_owned(),
        })
    }

    /// Its certificate.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// Its private key.
    pub fn key_pem(&self) -> SecretString {
        secret_pem(self.issuer.key())
    }

    /// A certificate with which a machine's server shows that it has this name and address.
    pub fn issue_server(&self, machine: &Name, address: IpAddr) -> Result<Identity, PkiError> {
        let failed = |source| PkiError::Issue { subject: machine.to_string(), source };
        let mut params = leaf_params(machine.as_str(), ExtendedKeyUsagePurpose::ServerAuth);
        let name = machine.as_str().try_into().map_err(failed)?;
        params.subject_alt_names = vec![SanType::IpAddress(address), SanType::DnsName(name)];
        self.issue(params).map_err(failed)
    }

    /// A certificate with which Muster shows itself to the machines.
    pub fn issue_client(&self) -> Result<Identity, PkiError> {
        let params = leaf_params("muster", ExtendedKeyUsagePurpose::ClientAuth);
        self.issue(params).map_err(|source| PkiError::Issue { subject: "muster".to_owned(), source })
    }

    fn issue(&self, params: CertificateParams) -> Result<Identity, rcgen::Error> {
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Identity { certificate_pem: certificate.pem(), key_pem: secret_pem(&key) })
    }
}

/// The name of a cluster's authority.
fn subject(cluster: &Name) -> String {
    format!("muster {cluster}")
}

/// What an authority's certificate says.
pub(crate) fn authority_params(common_name: &str) -> CertificateParams {
    let mut params = valid_from_now(common_name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn leaf_params(common_name: &str, usage: ExtendedKeyUsagePurpose) -> CertificateParams {
    let mut params = valid_from_now(common_name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    params
}

fn valid_from_now(common_name: &str) -> CertificateParams {
    let now = SystemTime::now();
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = (now - CLOCK_LEEWAY).into();
    params.not_after = (now + LIFETIME).into();
    params
}

pub(crate) fn secret_pem(key: &KeyPair) -> SecretString {
    let pem = Zeroizing::new(key.serialize_pem());
    SecretString::new(pem.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_holds_from_a_day_ago_for_clocks_that_are_behind_and_then_for_twenty_years() {
        let before = SystemTime::now();
        let params = valid_from_now("demo");
        let after = SystemTime::now();
        assert!(params.not_before >= before - CLOCK_LEEWAY && params.not_before <= after - CLOCK_LEEWAY);
        assert!(params.not_after >= before + LIFETIME && params.not_after <= after + LIFETIME);
    }
}
