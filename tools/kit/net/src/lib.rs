//! A blocking netlink socket bound to one network namespace: links, addresses, routes, nftables.
