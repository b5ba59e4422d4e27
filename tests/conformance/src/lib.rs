//! The conformance suite: the same cases for every orchestrator, over the public client library only.
//!
//! A case is a name that reads as a sentence and an async function over a [`World`](world::World): the client, the cluster
//! that all cases share, and what the case itself has made. It passes, is refused with code `unsupported` and the name of
//! a field, is a gap that is known ([`gaps`]), or fails.
//!
//! - `case`: what a case is; `cases`: all of them, a file a noun or a field
//! - `stage`: the daemon and the cluster; `machines`: how their owner lays hands on machines, at each infrastructure
//! - `world`: what a case can do
//! - `run`: runs them, a few at a time, and counts
//! - `gaps`: what is known not to hold yet; `page`: the page in the documentation, and `column`: one of its columns

pub mod case;
pub mod cases;
pub mod column;
pub mod gaps;
pub mod machines;
pub mod page;
pub mod run;
pub mod stage;
pub mod verdict;
pub mod world;
