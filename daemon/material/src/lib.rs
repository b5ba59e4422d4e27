//! What drivers, provisioner and handlers share of a cluster: the names of its keys and certificates, the PKI, the SSH
//! keys, and the labels of its machines. Nothing here knows a kind of orchestrator or infrastructure.
//!
//! ```text
//!   material ── pki, ssh_key    keys and certificates of one cluster, made once
//!   people                      the authority of people's certificates, another one with each renewal
//!   labels                      what the preparation found on a machine
//!   networks ── subnet          how the networks that an orchestrator makes are to be
//!   images                      how long images that no service needs stay on machines
//!   issuer                      short-lived certificates from an authority that is kept as PEM
//! ```

pub mod images;
pub mod issuer;
pub mod labels;
pub mod material;
pub mod networks;
pub mod people;
pub mod pki;
pub mod ssh_key;
pub mod subnet;
