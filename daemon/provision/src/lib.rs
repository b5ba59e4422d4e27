//! SSH sessions, machine preparation, install recipes and PKI.

pub mod material;
