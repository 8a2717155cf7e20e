//! /etc/hosts, /etc/hostname and /etc/resolv.conf of a container: files of its directory, bound into it.

use std::path::{Path, PathBuf};

use kit_plan::{Context, Done, Line, Meta, Shell, Slots, Step, StepError, Undo, cat};
use oci_spec::runtime::{Mount, MountBuilder};

use super::ADDRS;
use crate::says;
use box_state::write_atomic;

const NAMES: [&str; 3] = ["hosts", "hostname", "resolv.conf"];

const HOSTS: &str = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\n\
                     ff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n";

/// Writes these files, once the address is known.
pub struct WriteFiles {
    /// The container's directory.
    pub dir: PathBuf,
    /// The container's host name.
    pub hostname: String,
    /// Whether the container has an address of its own, which /etc/hosts gives its name to.
    pub addressed: bool,
    /// Copy the host's hosts and resolv.conf unchanged, for a container on the host's network.
    pub copies_hosts: bool,
}

impl WriteFiles {
    fn resolv_conf(&self) -> String {
        if self.copies_hosts {
            read("/etc/resolv.conf")
        } else {
            reachable(&of_host())
        }
    }

    /// /etc/hosts without the container's own address.
    fn hosts(&self) -> String {
        let of_host = || std::fs::read("/etc/hosts").ok();
        let copied = self.copies_hosts.then(of_host).flatten();
        copied.map_or_else(
            || HOSTS.to_owned(),
            |text| String::from_utf8_lossy(&text).trim_end().to_owned() + "\n",
        )
    }

    /// The names of the container's address: of a name with a domain also the first label, as docker does.
    fn names(&self) -> String {
        match self.hostname.split_once('.') {
            Some((short, _)) => format!("{} {short}", self.hostname),
            None => self.hostname.clone(),
        }
    }
}

/// The address of a line that names a server.
fn server(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    words.next().filter(|word| *word == "nameserver")?;
    words.next()
}

fn read(path: &str) -> String {
    let text = std::fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&text).into_owned()
}

/// The host's resolv.conf; where that names systemd-resolved alone, the file with the servers that it asks
/// (systemd-resolved.service(8)).
fn of_host() -> String {
    let text = read("/etc/resolv.conf");
    if text.lines().filter_map(server).eq(["127.0.0.53"]) {
        let asked = read("/run/systemd/resolve/resolv.conf");
        if asked.lines().any(|line| server(line).is_some()) {
            return asked;
        }
    }
    text
}

/// Leaves out the name servers that cannot be reached from a network namespace of IPv4, as docker does: those on the host's
/// loopback, and those of IPv6. If none is left, docker's default ones are added.
fn reachable(host: &str) -> String {
    let is_out = |ip: &str| ip.starts_with("127.") || ip.contains(':');
    let kept = host
        .lines()
        .filter(|line| !server(line).is_some_and(is_out));
    let kept: Vec<&str> = kept.collect();
    let mut text = kept.join("\n");
    if !kept.iter().any(|line| server(line).is_some()) {
        text.push_str("\nnameserver 8.8.8.8\nnameserver 8.8.4.4");
    }
    text.trim_start().to_owned() + "\n"
}

impl Step for WriteFiles {
    fn meta(&self) -> Meta {
        let own = if self.addressed {
            cat![self.hosts(), ADDRS[0], format!("\t{}", self.names())]
        } else {
            self.hosts().trim_end().into()
        };
        let lines = vec![
            Line::Write {
                path: self.dir.join("hosts").into(),
                text: own,
            },
            Line::Write {
                path: self.dir.join("hostname").into(),
                text: (&self.hostname).into(),
            },
            Line::Write {
                path: self.dir.join("resolv.conf").into(),
                text: self.resolv_conf().trim_end().into(),
            },
        ];
        Meta::new("files.write", says::files(), Shell::Exact(lines))
    }

    fn intent(&self, _: &Slots) -> Vec<Undo> {
        // They lie in the container's directory and go with it.
        Vec::new()
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let mut hosts = self.hosts();
        if self.addressed {
            let addr: std::net::Ipv4Addr = cx.slot(ADDRS[0])?;
            hosts = format!("{hosts}{addr}\t{}\n", self.names());
        }
        let texts = [hosts, format!("{}\n", self.hostname), self.resolv_conf()];
        for (name, text) in NAMES.into_iter().zip(texts) {
            let path = self.dir.join(name);
            write_atomic(&path, text.as_bytes(), false)?;
            let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
            std::fs::set_permissions(&path, readable)
                .map_err(|e| StepError::new(format!("writing {path:?}"), e))?;
        }
        Ok(Done::nothing())
    }
}

/// The mounts that bind the files of `dir` into the container; read-only if the root is, as with docker.
pub fn mounts(dir: &Path, readonly: bool) -> Vec<Mount> {
    let mount = |name: &str| {
        let words = ["rbind", "rprivate"].into_iter();
        let options = words.chain(readonly.then_some("ro")).map(str::to_owned);
        MountBuilder::default()
            .destination(format!("/etc/{name}"))
            .typ("bind")
            .source(dir.join(name))
            .options(options.collect::<Vec<_>>())
            .build()
            .ok()
    };
    NAMES.into_iter().filter_map(mount).collect()
}

#[cfg(test)]
mod tests {
    use super::reachable;

    #[test]
    fn a_server_that_cannot_be_reached_is_left_out() {
        let host =
            "search lan\nnameserver 127.0.0.53\nnameserver 192.0.2.1\nnameserver fe80::1%eth0\n";
        assert_eq!(reachable(host), "search lan\nnameserver 192.0.2.1\n");
        for alone in ["nameserver ::1\n", "nameserver 2001:db8::1\n"] {
            assert!(
                reachable(alone).starts_with("nameserver 8.8.8.8"),
                "{alone}"
            );
        }
    }
}
