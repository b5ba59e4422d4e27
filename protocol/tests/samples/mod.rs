//! Samples of everything on the wire, shared by the tests.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "test code, though not in a test function")]

pub mod client;
pub mod model;
pub mod server;
pub mod service;
