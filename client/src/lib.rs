//! Thin async client library for Muster, and the muster command.
