//! The authority that issues people's certificates where servers trust a list of authorities and know no list of revoked
//! certificates: Docker Engines. Every renewal of the cluster's certificates has another one, so a renewed machine
//! refuses what was given out before.
//!
//! It is derived, not stored: the cluster's own key and the number of the renewal give the same key every time, so who
//! prepares a machine and who issues a certificate need not tell each other.

use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use muster_engine::context::Material;
use muster_protocol::Name;
use rcgen::KeyPair;
use zeroize::Zeroizing;

use crate::issuer::CertificateIssuer;
use crate::material::{self, MaterialError};
use crate::pki::{self, PkiError};
use crate::ssh_key::{KeyError, Length};

/// Keeps these keys apart from whatever else may be derived one day.
const PURPOSE: &[u8] = b"muster people's authority 1";
/// What stands before the 32 bytes of an Ed25519 key in PKCS #8 (RFC 8410, section 7).
const ED25519_HEADER: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// The authority of people's certificates for one renewal of a cluster's certificates.
pub struct PeoplesAuthority {
    certificate_pem: String,
    issuer: CertificateIssuer,
}

impl PeoplesAuthority {
    /// The authority of this cluster and this renewal.
    pub fn derive(material: &Material, cluster: &Name, renewal: u64) -> Result<Self, MaterialError> {
        let secret = material::entry(material, material::CA_KEY)?;
        let mut key = Zeroizing::new([0; ED25519_HEADER.len() + 32]);
        let (header, bytes) = key.split_at_mut(ED25519_HEADER.len());
        header.copy_from_slice(&ED25519_HEADER);
        let number = renewal.to_be_bytes();
        Salt::new(HKDF_SHA256, PURPOSE)
            .extract(secret.as_bytes())
            .expand(&[&number], Length)
            .and_then(|okm| okm.fill(bytes))
            .map_err(|_| KeyError::Derivation)?;
        let key = KeyPair::try_from(key.as_slice()).map_err(PkiError::Load)?;
        let subject = format!("muster people of {cluster}, renewal {renewal}");
        let failed = |source| PkiError::Issue { subject: subject.clone(), source };
        let certificate = pki::authority_params(&subject).self_signed(&key).map_err(failed)?;
        let certificate_pem = certificate.pem();
        let issuer = CertificateIssuer::new(&certificate_pem, key)?;
        Ok(Self { certificate_pem, issuer })
    }

    /// Its certificate. Made anew every time; name and key, by which what it issued is known, stay the same.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// What issues the certificates.
    pub fn issuer(&self) -> &CertificateIssuer {
        &self.issuer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public_key(material: &Material, renewal: u64) -> Vec<u8> {
        let authority = PeoplesAuthority::derive(material, &"demo".parse().unwrap(), renewal).unwrap();
        let (_, pem) = x509_parser::pem::parse_x509_pem(authority.certificate_pem().as_bytes()).unwrap();
        pem.parse_x509().unwrap().public_key().raw.to_vec()
    }

    #[test]
    fn each_renewal_of_each_cluster_has_an_authority_of_its_own_always_the_same_one() {
        let name = "demo".parse().unwrap();
        let (one, other) = (material::create(&name).unwrap(), material::create(&name).unwrap());
        assert_eq!(public_key(&one, 3), public_key(&one, 3));
        assert_ne!(public_key(&one, 3), public_key(&one, 4));
        assert_ne!(public_key(&one, 3), public_key(&other, 3));
    }
}
