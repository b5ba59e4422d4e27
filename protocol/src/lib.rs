//! What Muster's daemon and its clients say to each other.
