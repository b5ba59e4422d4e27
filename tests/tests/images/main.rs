//! Every built-in template, deployed on this host's Docker Engine alone: rendered by the catalog, with images from a
//! registry of ours, and then used as its users would. What an orchestrator makes of the same services is tested elsewhere.

#![allow(clippy::expect_used, reason = "a test that cannot go on says why by panicking")]

mod deployment;
mod kubernetes;
mod mirror;
mod templates;
