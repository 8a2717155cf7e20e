//! Scratch namespaces, roots and images for tests.
