//! Kernel calls that nix and rustix lack; the only crate with unsafe.
