//! `cargo xtask`: sets up and runs the demo, the tests and the checks.

fn main() {}
