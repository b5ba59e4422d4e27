//! Services: from the neutral form to the swarm's, and back.

mod deploy;
mod network;
mod objects;
pub mod support;
mod translate;
mod validate;

pub(crate) use deploy::{deploy, find_ours, generation, labels, look_up_service, remove_service};
pub(crate) use network::NETWORK;
pub(crate) use validate::validate;
