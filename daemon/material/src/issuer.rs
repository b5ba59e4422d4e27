//! Short-lived client certificates from an authority whose certificate and key are PEM text, whoever made them.

use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair, KeyUsagePurpose};

use crate::pki::{Identity, PkiError, secret_pem};

/// A server whose clock is behind still accepts a certificate that was made just now.
const CLOCK_LEEWAY: Duration = Duration::from_secs(3600);

/// An authority that was kept as PEM.
pub struct CertificateIssuer {
    issuer: Issuer<'static, KeyPair>,
    /// Its own end.
    not_after: SystemTime,
}

/// Whom a client certificate names.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The common name: the user, for Kubernetes.
    pub common_name: &'a str,
    /// The organisation: the group, for Kubernetes.
    pub organisation: &'a str,
}

/// A client certificate with its key and its end.
pub struct ShortLived {
    /// The certificate and its key.
    pub identity: Identity,
    /// After this time the certificate is refused.
    pub not_after: SystemTime,
}

impl CertificateIssuer {
    /// The authority with this certificate and this private key. The issuer's name is read from the certificate.
    pub fn from_pem(certificate_pem: &str, key_pem: &str) -> Result<Self, PkiError> {
        Self::new(certificate_pem, KeyPair::from_pem(key_pem).map_err(PkiError::Load)?)
    }

    /// The authority with this certificate and this key.
    pub(crate) fn new(certificate_pem: &str, key: KeyPair) -> Result<Self, PkiError> {
        let issuer = Issuer::from_ca_cert_pem(certificate_pem, key).map_err(PkiError::Load)?;
        Ok(Self { issuer, not_after: end(certificate_pem).ok_or(PkiError::Unreadable)? })
    }

    /// A client certificate that is valid from now for `lifetime`, or as long as the authority if that ends before.
    pub fn issue_client(&self, subject: Subject<'_>, lifetime: Duration) -> Result<ShortLived, PkiError> {
        let failed = |source| PkiError::Issue { subject: subject.common_name.to_owned(), source };
        let now = SystemTime::now();
        // A time that cannot be told is later than any authority's end.
        let not_after = now.checked_add(lifetime).map_or(self.not_after, |end| end.min(self.not_after));
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, subject.organisation);
        params.distinguished_name.push(DnType::CommonName, subject.common_name);
        params.not_before = (now - CLOCK_LEEWAY).into();
        params.not_after = not_after.into();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(failed)?;
        let identity = Identity { certificate_pem: certificate.pem(), key_pem: secret_pem(&key) };
        Ok(ShortLived { identity, not_after })
    }
}

/// When a certificate ends.
fn end(certificate_pem: &str) -> Option<SystemTime> {
    let (_, pem) = x509_parser::pem::parse_x509_pem(certificate_pem.as_bytes()).ok()?;
    let seconds = pem.parse_x509().ok()?.validity().not_after.timestamp();
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(seconds).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::Authority;

    #[test]
    fn a_certificate_ends_when_it_is_told_to_and_names_its_issuer() {
        let authority = Authority::create(&"demo".parse().unwrap()).unwrap();
        let issuer = CertificateIssuer::from_pem(authority.certificate_pem(), authority.key_pem().expose()).unwrap();
        let subject = Subject { common_name: "muster", organisation: "system:masters" };
        let lifetime = Duration::from_secs(3600);
        let issued = issuer.issue_client(subject, lifetime).unwrap();
        let left = issued.not_after.duration_since(SystemTime::now()).unwrap();
        assert!(left <= lifetime && left > lifetime - Duration::from_secs(60), "{left:?}");
        assert!(issued.identity.certificate_pem.starts_with("-----BEGIN CERTIFICATE-----"));
    }

    #[test]
    fn no_certificate_outlives_its_authority() {
        let authority = Authority::create(&"demo".parse().unwrap()).unwrap();
        let issuer = CertificateIssuer::from_pem(authority.certificate_pem(), authority.key_pem().expose()).unwrap();
        let subject = Subject { common_name: "anna", organisation: "people" };
        for lifetime in [Duration::from_secs(100 * 365 * 24 * 3600), Duration::MAX] {
            let issued = issuer.issue_client(subject, lifetime).unwrap();
            assert_eq!(Some(issued.not_after), end(authority.certificate_pem()));
            assert_eq!(end(&issued.identity.certificate_pem), end(authority.certificate_pem()));
        }
    }

    #[test]
    fn a_key_that_is_none_is_an_error() {
        let authority = Authority::create(&"demo".parse().unwrap()).unwrap();
        assert!(CertificateIssuer::from_pem(authority.certificate_pem(), "no key").is_err());
    }
}
