//! Bridges: a switch, with a router on it.
