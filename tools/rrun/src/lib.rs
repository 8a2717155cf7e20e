//! Containers: all of the primitives, composed.
