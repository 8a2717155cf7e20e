//! Network namespaces: a host, without a host.
