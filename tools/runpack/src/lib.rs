//! Images: layers, store, archives.
