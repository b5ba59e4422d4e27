//! Services: from the neutral form to the swarm's, and back.

mod deploy;
mod digest;
mod images;
pub(crate) mod mesh;
pub(crate) mod network;
mod objects;
pub mod support;
mod translate;
mod validate;
mod volumes;

pub(crate) use deploy::{
    deploy, find_ours, generation, labels, look_up_service, platforms, refused_image, remove_service, unanswered_image,
};
pub(crate) use digest::of as digest_of;
pub(crate) use images::keep_clean;
pub(crate) use network::NETWORK;
pub(crate) use validate::validate;
pub(crate) use volumes::{keep_holding, volume_in};
