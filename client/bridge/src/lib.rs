//! Muster's HTTP bridge: the Common Gateway API as REST, and a page to look at.
//!
//! The bridge is a program of its own that speaks to the daemon only through the client library. A request goes through
//! [`frame`] (request id, log, strict headers), [`auth::gate`] (limits, token or session), one function of [`api`] (which makes
//! a protocol request of it), and [`daemon`] (connections to the daemon). Refusals of all of them are [`problem`]s.

pub mod api;
pub mod app;
pub mod auth;
pub mod config;
pub mod daemon;
pub mod extract;
pub mod frame;
pub mod hub;
pub mod limit;
pub mod openapi;
pub mod page;
pub mod problem;
pub mod reload;
pub mod router;
pub mod schema;
pub mod server;
pub mod telemetry;
pub mod tls;
