//! Whole-system tests and the harness that starts real parts.
