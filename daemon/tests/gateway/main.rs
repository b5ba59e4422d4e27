//! The daemon over its real socket, with the simulated twins: every operation, streams, limits, hostile peers, restarts.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod access;
mod audit;
mod cluster_access;
mod collector;
mod disturbed;
mod duplex;
mod events;
mod hostile;
mod idempotency;
mod limits;
mod matrix;
mod operations;
mod policy;
mod recover;
mod secrets;
mod shutdown;
mod streams;
mod support;
mod tokens;
mod unmanaged;
mod updates;
mod upkeep;
