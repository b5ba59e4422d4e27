//! Membership: forming a swarm, joining it, leaving it.

mod form;
mod join;
mod left;
pub(crate) mod nodes;
mod pool;
pub(crate) mod quorum;
mod remove;
mod step;
mod wait;

pub(crate) use form::{form, look_up_cluster};
pub(crate) use join::{join, look_up_node};
pub(crate) use left::forget_those_that_left;
pub(crate) use pool::networks;
pub(crate) use remove::remove_node;
pub(crate) use step::step;
