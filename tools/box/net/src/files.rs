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
        let host = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        if self.copies_hosts {
            host
        } else {
            without_loopback(&host)
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

/// Leaves out name servers on the host's loopback, as docker does: they cannot be reached from another network namespace.
/// If none is left, docker's default ones are added.
fn without_loopback(host: &str) -> String {
    let local = |line: &str| {
        let mut words = line.split_whitespace();
        words.next() == Some("nameserver")
            && words
                .next()
                .is_some_and(|ip| ip.starts_with("127.") || ip == "::1")
    };
    let kept: Vec<&str> = host.lines().filter(|line| !local(line)).collect();
    let mut text = kept.join("\n");
    if !kept
        .iter()
        .any(|line| line.trim_start().starts_with("nameserver"))
    {
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
    use super::without_loopback;

    #[test]
    fn a_server_on_the_hosts_loopback_is_left_out() {
        let host = "search lan\nnameserver 127.0.0.53\nnameserver 192.0.2.1\n";
        assert_eq!(without_loopback(host), "search lan\nnameserver 192.0.2.1\n");
        assert!(without_loopback("nameserver ::1\n").starts_with("nameserver 8.8.8.8"));
    }
}
