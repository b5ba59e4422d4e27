//! Which field of a service Docker Swarm honours. The page in the documentation is made from this table.
