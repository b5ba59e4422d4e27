//! EC2 for tests: moto's server as the API, a proxy in front of it that can misbehave as the real one may, and either
//! something that only shows host keys at the instances' addresses, or machine containers in their place.

pub mod account;
mod balancer;
pub mod cloud;
pub mod faults;
pub mod http;
pub mod hypervisor;
pub mod moto;
pub mod proxy;
pub mod sshd;
mod tokens;
mod xml;

pub use faults::{Fault, Rule};
pub use moto::Moto;
pub use proxy::Proxy;

/// The region that everything of the tests is in.
pub const REGION: &str = "eu-central-1";
