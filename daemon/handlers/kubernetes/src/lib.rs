//! Kubernetes clusters and their services.
//!
//! ```text
//!   handler ─┬─ control_planes ── access     an API server that answers, and how it is reached
//!            ├─ services ── translate        from the neutral form to objects, by server-side apply
//!            ├─ registry                     what images' tags mean
//!            ├─ observe                      what is seen, from stores that watches fill
//!            ├─ logs, exec, port_forward     streams
//!            └─ nodes                        cordon, drain, uncordon, delete
//! ```

pub mod access;
mod control_planes;
mod copies;
mod digest;
mod exec;
mod expected;
mod failures;
#[cfg(test)]
mod fixtures;
mod handler;
mod killed;
mod labels;
pub mod lifecycle;
mod logs;
pub mod marks;
mod nodes;
mod observe;
mod port_forward;
pub mod registry;
pub mod rollout;
#[cfg(test)]
mod scripted;
mod services;
mod watches;

pub use handler::KubernetesHandler;
pub use services::support;
