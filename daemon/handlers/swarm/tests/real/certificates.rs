//! A cluster's certificate authority, and the certificates that it gives.

use std::collections::BTreeMap;

use muster_engine::context::Material;
use muster_protocol::SecretString;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

/// An authority that is trusted by one cluster.
pub struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, as PEM.
pub struct Identity {
    pub certificate: String,
    pub key: String,
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap().pem();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    pub fn certificate(&self) -> String {
        self.certificate.clone()
    }

    pub fn server(&self, address: &str) -> Identity {
        self.identity(vec![address.to_owned()], ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// What the handler needs, under the names that it looks for.
    pub fn material(&self) -> Material {
        let client = self.identity(Vec::new(), ExtendedKeyUsagePurpose::ClientAuth);
        let entries = [
            ("ca-certificate", self.certificate.clone()),
            ("client-certificate", client.certificate),
            ("client-key", client.key),
        ];
        Material(BTreeMap::from(entries.map(|(name, text)| (name.to_owned(), SecretString::new(text)))))
    }

    fn identity(&self, names: Vec<String>, purpose: ExtendedKeyUsagePurpose) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(names).unwrap();
        params.extended_key_usages = vec![purpose];
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}
