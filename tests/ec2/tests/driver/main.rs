//! The EC2 driver against moto, with a proxy between them that misbehaves as the real API may.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends at the first surprise")]

mod account;
mod balancer;
mod calls;
mod faults;
mod host_keys;
mod lost_marks;
mod network;
mod recovery;
mod support;
