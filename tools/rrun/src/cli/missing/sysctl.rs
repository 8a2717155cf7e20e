//! Whose the sysctls of `--sysctl` are: a hint writes none of the host's.

use box_engine::sysctl::namespace_of;
use oci_spec::runtime::LinuxNamespaceType as Type;

use crate::cli::typed::Typed;

/// Whose they are together.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// One of them at least is the host's.
    Host,
    /// All are the network namespace's.
    Network,
    /// All are those of the namespaces of IPC and of names.
    Ipc,
    /// Some are the network namespace's, and some of the others'.
    Both,
}

/// Whether `NAME=VALUE` are `of` these.
pub fn are(values: &[&str], typed: &Typed, of: Of) -> bool {
    whose(values, is_of_host(typed)) == of
}

/// A container in the network namespace of the host has that one's sysctls.
fn is_of_host(typed: &Typed) -> bool {
    typed.last("--network") == Some("host")
}

fn whose(values: &[&str], network_is_host: bool) -> Of {
    let kinds = values.iter().map(|value| {
        let (name, _) = value.split_once('=')?;
        namespace_of(name)
    });
    let kinds: Vec<_> = kinds.collect();
    let is_of_network = |kind: &Option<Type>| *kind == Some(Type::Network);
    if kinds.contains(&None) || network_is_host && kinds.iter().any(is_of_network) {
        Of::Host
    } else if kinds.iter().all(is_of_network) {
        Of::Network
    } else if kinds.iter().any(is_of_network) {
        Of::Both
    } else {
        Of::Ipc
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_the_host_makes_them_the_hosts() {
        for (values, wanted) in [
            ("net.ipv4.ip_forward=1 net/core/somaxconn=9", Of::Network),
            ("kernel.shmmni=1 fs.mqueue.msg_max=9", Of::Ipc),
            ("kernel.domainname=a", Of::Ipc),
            ("kernel.sem=1 net.core.somaxconn=9", Of::Both),
            ("net.core.somaxconn=9 vm.swappiness=9", Of::Host),
            ("vm.swappiness=9 net.core.somaxconn=9", Of::Host),
            ("kernel.panic=1", Of::Host),
            ("net/../kernel/panic=1", Of::Host),
            ("net.core.somaxconn", Of::Host),
        ] {
            let all: Vec<&str> = values.split(' ').collect();
            assert!(whose(&all, false) == wanted, "{values}");
        }
        assert!(whose(&["net.core.somaxconn=9"], true) == Of::Host);
        assert!(whose(&["kernel.sem=9"], true) == Of::Ipc);
    }
}
