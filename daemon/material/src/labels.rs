//! Labels with which the preparation tells the handler what it found on a machine.

/// Whether the kernel has IPVS, without which nothing balances ingress ports: `yes` or `no`.
pub const IPVS: &str = "io.muster.ipvs";

/// The largest packet that the machine's network carries, in bytes.
pub const MTU: &str = "io.muster.mtu";
