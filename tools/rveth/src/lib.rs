//! Virtual Ethernet: a cable between two network namespaces.
