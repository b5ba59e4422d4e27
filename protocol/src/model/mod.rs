//! The things users see, in the words of the design.
//!
//! JSON keys are camelCase and stable. Input types refuse unknown keys and
//! have defaults for what may be left out.

pub mod access;
pub mod account;
pub mod audit;
pub mod catalog;
pub mod cluster;
pub mod container;
pub mod event;
pub mod host;
pub mod operation;
pub mod plan;
pub mod service;
pub mod token;
