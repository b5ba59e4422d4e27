//! The heart of Muster: cluster state, planner, driver and handler traits, simulated twins.
//!
//! Nothing of it does I/O or reads a clock: time comes in as a value, and outside calls are described as
//! [`action::Action`]s, which are performed by [`order::Order`]s through the traits [`driver::Driver`],
//! [`preparer::Preparer`] and [`handler::Handler`]. So the whole history of a cluster runs in milliseconds, and the loop
//! that the tests run is the one that ships: the daemon's actors add the disk, the tasks and the timers.
//!
//! The exception is [`sim`], for it stands for what is outside: it keeps its world in a file, so that a killed daemon
//! finds it again, and takes its time by tokio's clock, which tests can pause.
//!
//! The loop, for every cluster: a change is noted in a copy of the state (a request by its `admit_…`, a result by
//! [`state::ClusterState::finish`], a look by [`state::ClusterState::observe`]); [`state::ClusterState::advance`] draws
//! the conclusions, makes a plan ([`plan::plan`]) and begins what may be done now; that is written; the calls are made;
//! and again, until the plan is empty.

pub mod access;
pub mod action;
pub mod blueprint;
pub mod context;
pub mod cycle;
pub mod desired;
pub mod driver;
pub mod duplex;
pub mod failure;
pub mod finding;
pub mod handler;
pub mod key;
pub mod ledger;
pub mod login;
pub mod looks;
pub mod machine;
pub mod member;
pub mod observed;
pub mod operation;
pub mod options;
pub mod order;
pub mod plan;
pub mod preparer;
pub mod recipe;
pub mod rollout;
pub mod session;
pub mod shared;
pub mod sim;
pub mod spec_mark;
pub mod state;
pub mod support;
pub mod validate;
pub mod view;
pub mod words;
