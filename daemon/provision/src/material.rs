//! The names under which a cluster's keys and certificates are kept in its [`Material`](muster_engine::context::Material).
//!
//! Provisioner, drivers and handlers agree on these and on nothing else. All values are text: PEM, OpenSSH's own
//! formats, or base64.

/// The cluster's own certificate authority: its certificate (PEM). Docker Engines and handler trust nothing else.
pub const CA_CERTIFICATE: &str = "ca-certificate";
/// The authority's private key (PEM, PKCS #8).
pub const CA_KEY: &str = "ca-key";
/// The certificate with which the handler shows itself to the machines (PEM).
pub const CLIENT_CERTIFICATE: &str = "client-certificate";
/// Its private key (PEM, PKCS #8).
pub const CLIENT_KEY: &str = "client-key";
/// The ed25519 key with which Muster logs in to the machines (OpenSSH private key, not encrypted).
pub const SSH_KEY: &str = "ssh-key";
/// Its public half: one line for `authorized_keys`.
pub const SSH_PUBLIC_KEY: &str = "ssh-public-key";
/// 32 random bytes (base64) from which every machine's SSH host key is derived.
pub const HOST_KEY_SEED: &str = "host-key-seed";
