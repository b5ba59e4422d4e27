//! Services: from the neutral form to the cluster's objects, and back.

mod deploy;
pub(crate) mod findings;
pub(crate) mod holding;
pub(crate) mod host_ports;
mod namespace;
mod objects;
pub mod support;
mod tidy;
pub(crate) mod translate;
mod validate;
pub(crate) mod volumes;
pub(crate) mod workloads;

pub(crate) use deploy::{deploy, look_up_service, remove_service};
pub(crate) use holding::keep_holding;
pub(crate) use validate::validate;
