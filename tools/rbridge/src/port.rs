//! A published port: as written, as an element of our table, and whether it is free.

use std::fmt;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;

use kit_net::Nft;
use kit_net::nft::{Concat, Element, Table};
use kit_plan::{Line, words};
pub use kit_units::Proto;
use kit_units::ports::{parse_port, split_proto as of_proto};
use rustix::net::sockopt::set_socket_reuseaddr;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use serde::{Deserialize, Serialize};

use crate::{BridgeError, Place, table};

/// The host's end: an address, or all of them, and a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HostPort {
    /// One of the host's addresses; `None` for all of them.
    pub ip: Option<Ipv4Addr>,
    /// 1 to 65535.
    pub port: u16,
    /// TCP or UDP.
    pub proto: Proto,
}

/// How a published port is written.
const FORM: &str = "it is [IP:]PORT:ADDRESS:PORT[/udp]";

/// `[IP:]HP:ADDR:CP[/udp]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Published {
    /// What of the host leads there.
    pub host: HostPort,
    /// The container's address.
    pub addr: Ipv4Addr,
    /// The container's port.
    pub port: u16,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(ip) = self.ip {
            write!(f, "{ip}:")?;
        }
        write!(f, "{}/{}", self.port, self.proto)
    }
}

impl fmt::Display for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(ip) = self.host.ip {
            write!(f, "{ip}:")?;
        }
        write!(
            f,
            "{}:{}:{}/{}",
            self.host.port, self.addr, self.port, self.host.proto
        )
    }
}

impl HostPort {
    /// `[IP:]HP[/udp]`
    pub fn parse(text: &str) -> Result<Self, BridgeError> {
        let wrong = |reason| BridgeError::BadPort {
            text: text.to_owned(),
            reason,
        };
        let (plain, proto) = split_proto(text).map_err(wrong)?;
        let (ip, port) = match plain.rsplit_once(':') {
            None => (None, plain),
            Some((ip, port)) => (Some(host_ip(ip).map_err(wrong)?), port),
        };
        Ok(Self {
            ip: ip.flatten(),
            port: parse_port(port).map_err(|error| wrong(error.reason))?,
            proto,
        })
    }

    /// The map of the instance's table that has it.
    pub fn map(self) -> &'static str {
        if self.ip.is_some() {
            table::PORTS_ON
        } else {
            table::PORTS
        }
    }

    /// Its key there.
    pub fn key(self) -> Vec<u8> {
        let start = self
            .ip
            .map_or_else(Concat::new, |ip| Concat::new().addr(ip));
        start.proto(self.proto.number()).port(self.port).bytes()
    }

    /// As nft(8) writes the key.
    pub fn key_text(self) -> String {
        let ip = self.ip.map(|ip| format!("{ip} . ")).unwrap_or_default();
        format!("{ip}{} . {}", self.proto, self.port)
    }

    /// Forgets the UDP flows that came in by the port: where they lead was decided before it was published, or while it
    /// still was.
    pub(crate) fn forget_flows(self, place: &Place, nft: &Nft) -> Result<(), BridgeError> {
        if self.proto == Proto::Udp {
            nft.forget_udp(&place.netlink()?, self.ip, self.port)?;
        }
        Ok(())
    }

    /// The same in sh, where the host has conntrack(8). It prints the flows that it deletes, which are no output of the
    /// script.
    pub(crate) fn forget_line(self, place: &Place) -> Option<Line> {
        if self.proto != Proto::Udp {
            return None;
        }
        let script = "conntrack \"$@\" >/dev/null";
        let mut argv = words!["sh", "-c", script, "sh", "-D", "-p", "udp"];
        if let Some(ip) = self.ip {
            argv.extend(words!["--orig-dst", ip.to_string()]);
        }
        argv.extend(words!["--orig-port-dst", self.port.to_string()]);
        Some(Line::Try(place.words(argv)))
    }

    /// Tries to bind the port, and lets go of it. Who has it is named where that can be found.
    pub fn probe(self, place: &Place) -> Result<(), BridgeError> {
        place.within(|| {
            self.bind().map(drop).map_err(|source| match source.kind() {
                io::ErrorKind::AddrInUse => {
                    let holder = self.holder().unwrap_or_else(|| "somebody".to_owned());
                    BridgeError::PortTaken {
                        port: self.to_string(),
                        holder,
                    }
                }
                _ => BridgeError::Bind {
                    port: self.to_string(),
                    source,
                },
            })
        })
    }

    /// A socket bound to it, in the calling thread's namespace. It does not listen: of TCP who listens is in the way,
    /// another who only binds is not, nor are the last one's connections, still in TIME_WAIT.
    pub fn bind(self) -> io::Result<OwnedFd> {
        let at = SocketAddrV4::new(self.ip.unwrap_or(Ipv4Addr::UNSPECIFIED), self.port);
        let kind = match self.proto {
            Proto::Tcp => SocketType::STREAM,
            Proto::Udp => SocketType::DGRAM,
            // Its ports are told in a file of another form, and few kernels have it: nothing here publishes it.
            Proto::Sctp => return Err(io::ErrorKind::Unsupported.into()),
        };
        let socket = socket_with(AddressFamily::INET, kind, SocketFlags::CLOEXEC, None)?;
        if self.proto == Proto::Tcp {
            set_socket_reuseaddr(&socket, true)?;
        }
        rustix::net::bind(&socket, &at)?;
        Ok(socket)
    }

    /// The process that has the port bound, in the calling thread's namespace: `"nginx" (PID 7)`.
    pub fn holder(self) -> Option<String> {
        let inode = ["", "6"].iter().find_map(|six| {
            let text =
                fs::read_to_string(format!("/proc/thread-self/net/{}{six}", self.proto)).ok()?;
            text.lines().skip(1).find_map(|line| self.inode_in(line))
        })?;
        let socket = format!("socket:[{inode}]");
        let processes = fs::read_dir("/proc").ok()?.flatten();
        let mut pids =
            processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let pid = pids.find(|pid| {
            let fds = fs::read_dir(format!("/proc/{pid}/fd"));
            fds.is_ok_and(|mut fds| {
                fds.any(|fd| {
                    fd.and_then(|fd| fs::read_link(fd.path()))
                        .is_ok_and(|to| to.as_os_str() == &*socket)
                })
            })
        })?;
        // Any bytes: the process may call itself what it likes.
        let name = fs::read(format!("/proc/{pid}/comm")).ok()?;
        let name = String::from_utf8_lossy(name.trim_ascii_end());
        let name = name.replace(char::is_control, "?");
        Some(format!("\"{name}\" (PID {pid})"))
    }

    /// A line of `/proc/net/tcp`: `sl local_address rem_address st … inode`, the address in hex.
    fn inode_in(self, line: &str) -> Option<String> {
        /// `TCP_LISTEN`; a bound UDP socket has `TCP_CLOSE`.
        const LISTEN: &str = "0A";
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let (addr, port) = fields.get(1)?.split_once(':')?;
        let state = *fields.get(3)?;
        let any = addr.bytes().all(|digit| digit == b'0');
        let same = self
            .ip
            .is_none_or(|ip| any || addr.ends_with(&format!("{:08X}", ip.to_bits().swap_bytes())));
        let listens = self.proto == Proto::Udp || state == LISTEN;
        (u16::from_str_radix(port, 16) == Ok(self.port) && same && listens)
            .then(|| fields.get(9).map(|s| (*s).to_owned()))?
    }
}

impl Published {
    /// `[IP:]HP:ADDR:CP[/udp]`
    pub fn parse(text: &str) -> Result<Self, BridgeError> {
        let wrong = |reason| BridgeError::BadPort {
            text: text.to_owned(),
            reason,
        };
        let (plain, proto) = split_proto(text).map_err(wrong)?;
        let (rest, port) = plain.rsplit_once(':').ok_or(wrong(FORM))?;
        if rest.ends_with(']') {
            return Err(wrong("the container's address is not an IPv4 address"));
        }
        let (host, addr) = rest.rsplit_once(':').ok_or(wrong(FORM))?;
        if !host.starts_with('[') && host.matches(':').count() > 1 || addr.parse::<u16>().is_ok() {
            return Err(wrong(FORM));
        }
        let mut host = HostPort::parse(host).map_err(|error| match error {
            BridgeError::BadPort { reason, .. } => wrong(reason),
            other => other,
        })?;
        host.proto = proto;
        let addr = addr
            .parse()
            .map_err(|_| wrong("the container's address is not an IPv4 address"))?;
        Ok(Self {
            host,
            addr,
            port: parse_port(port).map_err(|error| wrong(error.reason))?,
        })
    }

    /// The map of the instance's table that has it.
    pub fn map(&self) -> &'static str {
        self.host.map()
    }

    /// Its key there.
    pub fn key(&self) -> Vec<u8> {
        self.host.key()
    }

    /// What the key leads to there.
    pub fn data(&self) -> Vec<u8> {
        data(self.addr, self.port)
    }

    pub(crate) fn add_text(&self, table: &Table) -> String {
        let (map, key) = (self.map(), self.host.key_text());
        format!(
            "add element {table} {map} {{ {key} : {} . {} }}",
            self.addr, self.port
        )
    }

    pub(crate) fn delete_text(&self, table: &Table) -> String {
        format!(
            "delete element {table} {} {{ {} }}",
            self.map(),
            self.host.key_text()
        )
    }

    fn read(element: &Element, on: bool) -> Option<Self> {
        let word = |bytes: &[u8], nth: usize| -> Option<[u8; 4]> {
            bytes.get(nth * 4..nth * 4 + 4)?.try_into().ok()
        };
        let port = |word: [u8; 4]| u16::from_be_bytes([word[0], word[1]]);
        let (key, data) = (&element.key[..], element.data.as_deref()?);
        let ip = if on {
            Some(Ipv4Addr::from(word(key, 0)?))
        } else {
            None
        };
        let [number, ..] = word(key, usize::from(on))?;
        let proto = Proto::ALL
            .into_iter()
            .find(|proto| proto.number() == number)?;
        let host = HostPort {
            ip,
            port: port(word(key, usize::from(on) + 1)?),
            proto,
        };
        Some(Self {
            host,
            addr: Ipv4Addr::from(word(data, 0)?),
            port: port(word(data, 1)?),
        })
    }
}

pub(crate) fn data(addr: Ipv4Addr, port: u16) -> Vec<u8> {
    Concat::new().addr(addr).port(port).bytes()
}

/// All published ports of an instance, sorted.
pub fn published(nft: &Nft, table: &Table) -> Result<Vec<Published>, BridgeError> {
    let mut ports = Vec::new();
    for (map, on) in [(table::PORTS, false), (table::PORTS_ON, true)] {
        ports.extend(
            nft.elements(table, map)?
                .iter()
                .filter_map(|element| Published::read(element, on)),
        );
    }
    ports.sort();
    Ok(ports)
}

fn split_proto(text: &str) -> Result<(&str, Proto), &'static str> {
    match of_proto(text) {
        Ok((_, Proto::Sctp)) => Err("SCTP is not published"),
        Ok(both) => Ok(both),
        Err(_) => Err("after the slash comes tcp or udp"),
    }
}

/// `0.0.0.0` is every address.
fn host_ip(text: &str) -> Result<Option<Ipv4Addr>, &'static str> {
    if text.starts_with('[') {
        return Err(
            "the kernel cannot translate IPv6 to the container's IPv4; rrun run -p serves it",
        );
    }
    let ip: Ipv4Addr = text
        .parse()
        .map_err(|_| "the host's address is not an IPv4 address")?;
    Ok((!ip.is_unspecified()).then_some(ip))
}

#[cfg(test)]
mod tests;
