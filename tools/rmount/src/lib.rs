//! Overlay, bind and tmpfs mounts, and what changed in them.
