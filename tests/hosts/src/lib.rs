//! Hosts that were there before Muster: machine containers with something of their owner's, and what they are like file by
//! file and package by package.

pub mod inventory;
pub mod lab;
