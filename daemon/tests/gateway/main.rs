//! The daemon over its real socket, with the simulated twins: every operation, streams, limits, hostile peers, restarts.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod access;
mod collector;
mod events;
mod hostile;
mod idempotency;
mod limits;
mod operations;
mod secrets;
mod shutdown;
mod streams;
mod support;
mod updates;
