//! The heart of Muster: cluster state, planner, driver and handler traits, simulated twins.
