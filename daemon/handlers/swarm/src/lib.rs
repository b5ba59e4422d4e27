//! Docker Swarm clusters and their services.
