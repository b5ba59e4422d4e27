//! Docker Swarm clusters and their services.

mod access;
mod connect;
mod exec;
mod failures;
#[cfg(test)]
mod fixtures;
mod forward;
mod handler;
mod logs;
mod managers;
pub mod marks;
mod membership;
mod observe;
#[cfg(test)]
mod scripted;
mod services;
mod tls_end;

pub use connect::{Connector, ENGINE_PORT, Engine, Transport};
pub use handler::SwarmHandler;
pub use services::support;
