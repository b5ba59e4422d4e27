//! Machines on the local Docker Engine.
