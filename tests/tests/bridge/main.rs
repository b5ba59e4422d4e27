//! The HTTP bridge before a real daemon on the simulated twins.

mod canary;
mod changes;
mod duplex;
mod fuzz;
mod page;
mod roles;
mod safety;
mod schemathesis;
mod streams;
mod support;
mod tls;
mod walk;
