//! The heart of Muster: cluster state, planner, driver and handler traits, simulated twins.
//!
//! Nothing here does I/O or reads a clock: time comes in as a value, outside calls are
//! described as [`action::Action`]s and performed by the daemon's actors through the traits
//! [`driver::Driver`], [`preparer::Preparer`] and [`handler::Handler`]. So thousands of
//! cluster histories can be run in a second, and what the tests run is what ships.
//!
//! The loop, for every cluster: [`plan::plan`] says what may be done now;
//! [`state::ClusterState::begin`] writes that down; the call is made;
//! [`state::ClusterState::finish`] notes what came of it; [`state::ClusterState::settle`] draws the conclusions and says
//! what may be done next; and again, until the plan is empty.

pub mod action;
pub mod context;
pub mod desired;
pub mod driver;
pub mod failure;
pub mod handler;
pub mod ledger;
pub mod observed;
pub mod operation;
pub mod order;
pub mod plan;
pub mod preparer;
pub mod shared;
pub mod sim;
pub mod state;
pub mod validate;
pub mod view;
pub mod words;
