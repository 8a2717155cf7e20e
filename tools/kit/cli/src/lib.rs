//! What every command's main shares.
