//! Whole-system tests and the harness that starts real parts.

pub mod binary;
pub mod bridge;
pub mod cli;
pub mod daemon;
pub mod demo_cluster;
pub mod ec2;
pub mod file_server;
pub mod http;
pub mod images;
pub mod kubernetes;
pub mod machine_container;
pub mod perf;
pub mod pipe;
pub mod registry;
pub mod skip;
pub mod traces;
