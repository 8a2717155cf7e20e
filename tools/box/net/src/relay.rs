//! Published ports over IPv6, where nothing is translated to a container's IPv4 address: the monitor listens and
//! passes bytes on, in its one poll loop. Buffers are bounded, and exist only while a side is slow.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use kit_plan::{Context, Done, Meta, Shell, Slots, Step, StepError, Undo};
use rbridge::Proto;
use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with, sockopt};

use crate::says;
use box_state::Port;

/// Connections served at once: each takes two of the 1024 descriptors that a process may have. More wait in the kernel's
/// queue.
const MOST: usize = 400;

/// Between tries to accept a client where there is no descriptor even without a connection.
const PAUSE: Duration = Duration::from_millis(10);

/// Buffers passed on in one direction before the other connections have their turn.
const ROUNDS: usize = 8;

/// Listens on one port; on a host without IPv6, on none.
pub struct Listen {
    /// The IPv6 address to listen on; `None` for all.
    pub ip: Option<Ipv6Addr>,
    /// The port of the host.
    pub port: u16,
    /// The port in the container.
    pub container_port: u16,
}

/// The listening sockets, in the context until the monitor serves them.
#[derive(Default)]
pub struct Listening(Vec<(TcpListener, u16)>);

impl Listening {
    /// Whether one of the sockets listens on `port` of the host.
    pub fn has(&self, port: u16) -> bool {
        let is = |listener: &TcpListener| listener.local_addr().is_ok_and(|at| at.port() == port);
        self.0.iter().any(|(listener, _)| is(listener))
    }
}

impl Step for Listen {
    fn meta(&self) -> Meta {
        Meta::new(
            "port.relay",
            says::relay(self.port),
            Shell::Exact(Vec::new()),
        )
    }

    fn intent(&self, _: &Slots) -> Vec<Undo> {
        // It goes with the process.
        Vec::new()
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        if self.ip.is_none() && !has_ipv6() {
            return Ok(Done::nothing().note("this host has no IPv6", "本机没有 IPv6"));
        }
        let ip = self.ip.unwrap_or(Ipv6Addr::UNSPECIFIED);
        let listener = listening(ip, self.port).map_err(|errno| {
            let error = StepError::new(format!("binding port [{ip}]:{}", self.port), errno);
            match errno {
                Errno::ADDRINUSE => error.hint("ss -tlnp shows who has it; choose another port"),
                Errno::ADDRNOTAVAIL => error.hint("ip addr shows the addresses of this host"),
                _ => error,
            }
        })?;
        let all: &mut Listening = cx.kept_or(|| Ok::<_, StepError>(Listening::default()))?;
        all.0.push((listener, self.container_port));
        Ok(Done::nothing())
    }
}

/// Whether any interface has an IPv6 address: bind(2) succeeds even where none has.
fn has_ipv6() -> bool {
    std::fs::read("/proc/net/if_inet6").is_ok_and(|text| !text.is_empty())
}

fn listening(ip: Ipv6Addr, port: u16) -> Result<TcpListener, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::INET6, SocketType::STREAM, flags, None)?;
    sockopt::set_ipv6_v6only(&socket, true)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &SocketAddrV6::new(ip, port, 0, 0))?;
    rustix::net::listen(&socket, 128)?;
    Ok(socket.into())
}

/// The ports, with one more entry for each that is also served over IPv6, as docker lists them.
pub fn with_ipv6(ports: Vec<Port>, listening: Option<&Listening>) -> Vec<Port> {
    let mut all = Vec::new();
    for port in ports {
        let also = port.host_ip.is_none()
            && port.proto == Proto::Tcp
            && listening.is_some_and(|listening| listening.has(port.host_port));
        let second = Port {
            host_ip: Some(IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
            ..port.clone()
        };
        all.push(port);
        all.extend(also.then_some(second));
    }
    all
}

/// The ports that a monitor listens on over IPv6, and the connections that it relays.
#[derive(Default)]
pub struct Relay {
    doors: Vec<(TcpListener, SocketAddrV4)>,
    pairs: Vec<Pair>,
    /// Whether a client waits for whom there is no descriptor. The doors are not polled then, or poll(2) would return at
    /// once, turn by turn, until a connection ends.
    is_full: bool,
}

/// What a polled descriptor belongs to.
#[derive(Clone, Copy)]
pub enum Owner {
    /// A listening socket: a client wants to connect.
    Door(usize),
    /// A connection: a side has bytes to read, or takes some.
    Pair(usize),
}

impl Relay {
    /// Relays from the listening sockets to the container's address.
    pub fn new(listening: Listening, to: Ipv4Addr) -> Self {
        let door = |(listener, port)| (listener, SocketAddrV4::new(to, port));
        Self {
            doors: listening.0.into_iter().map(door).collect(),
            pairs: Vec::new(),
            is_full: false,
        }
    }

    /// Listens on the ports of a run again, for a monitor that takes over; a port that another program has taken is left out.
    pub fn reopen(ports: &[Port], to: Ipv4Addr) -> Self {
        let open = |port: &Port| match port.host_ip {
            Some(IpAddr::V6(ip)) => {
                let listener = listening(ip, port.host_port).ok()?;
                Some((listener, port.container_port))
            }
            _ => None,
        };
        Self::new(Listening(ports.iter().filter_map(open).collect()), to)
    }

    /// Adds the descriptors to poll and returns what each belongs to. A side of which no event is wanted is left out: poll(2)
    /// would report its hang-up at every turn.
    pub fn poll<'a>(&'a self, fds: &mut Vec<PollFd<'a>>) -> Vec<Owner> {
        let mut owners = Vec::new();
        if self.pairs.len() < MOST && !self.is_full {
            for (index, (listener, _)) in self.doors.iter().enumerate() {
                fds.push(PollFd::new(listener, PollFlags::IN));
                owners.push(Owner::Door(index));
            }
        }
        for (index, pair) in self.pairs.iter().enumerate() {
            for (socket, wanted) in pair.wanted() {
                if !wanted.is_empty() {
                    fds.push(PollFd::new(socket, wanted));
                    owners.push(Owner::Pair(index));
                }
            }
        }
        owners
    }

    /// Serves each of `owners`, as [`Relay::poll`] returned them, whose entry in `ready` is true.
    pub fn serve(&mut self, owners: &[Owner], ready: &[bool]) {
        let mut gone = Vec::new();
        for (owner, _) in owners.iter().zip(ready).filter(|(_, ready)| **ready) {
            match *owner {
                Owner::Pair(index) if gone.last() != Some(&index) => {
                    if self.pairs[index].pump().is_none() {
                        gone.push(index);
                    }
                }
                Owner::Pair(_) => {}
                Owner::Door(index) => {
                    let (listener, to) = &self.doors[index];
                    match listener.accept() {
                        // Whoever cannot be connected is hung up on, as by a port without a listener.
                        Ok((client, _)) => self.pairs.extend(Pair::new(client, *to)),
                        Err(error) if is_short(&error) && self.pairs.is_empty() => {
                            std::thread::sleep(PAUSE);
                        }
                        Err(error) => self.is_full |= is_short(&error),
                    }
                }
            }
        }
        for index in gone.into_iter().rev() {
            self.pairs.swap_remove(index);
            self.is_full = false;
        }
    }
}

/// Whether what accept(2) lacks is a descriptor or memory: the client stays in the queue.
fn is_short(error: &std::io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(
        errno,
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)
    )
}

struct Pair {
    client: TcpStream,
    inside: TcpStream,
    connecting: bool,
    up: Direction,
    down: Direction,
}

/// One direction of a connection: the bytes that the reader has not taken yet, and how far its end of file has come.
#[derive(Default)]
struct Direction {
    rest: Vec<u8>,
    ended: bool,
    passed_on: bool,
}

impl Pair {
    fn new(client: TcpStream, to: SocketAddrV4) -> std::io::Result<Self> {
        client.set_nonblocking(true)?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let inside = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
        match connect(&inside, &SocketAddr::V4(to)) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(errno) => return Err(errno.into()),
        }
        let inside = TcpStream::from(inside);
        // As small a write as came in goes out.
        let _ = (client.set_nodelay(true), inside.set_nodelay(true));
        Ok(Self {
            client,
            inside,
            connecting: true,
            up: Direction::default(),
            down: Direction::default(),
        })
    }

    fn wanted(&self) -> [(&TcpStream, PollFlags); 2] {
        if self.connecting {
            return [
                (&self.client, PollFlags::empty()),
                (&self.inside, PollFlags::OUT),
            ];
        }
        let of = |reads: &Direction, writes: &Direction| {
            let mut wanted = PollFlags::empty();
            wanted.set(PollFlags::IN, !reads.ended && reads.rest.is_empty());
            wanted.set(PollFlags::OUT, !writes.rest.is_empty());
            wanted
        };
        [
            (&self.client, of(&self.up, &self.down)),
            (&self.inside, of(&self.down, &self.up)),
        ]
    }

    /// Passes on the available bytes; `None` when both directions have ended or one is broken.
    fn pump(&mut self) -> Option<()> {
        if self.connecting {
            sockopt::socket_error(&self.inside).ok()?.ok()?;
            self.connecting = false;
        }
        self.up.pump(&self.client, &self.inside).ok()?;
        self.down.pump(&self.inside, &self.client).ok()?;
        (!(self.up.passed_on && self.down.passed_on)).then_some(())
    }
}

impl Direction {
    fn pump(&mut self, mut from: &TcpStream, mut to: &TcpStream) -> std::io::Result<()> {
        let mut buffer = [0u8; 16 * 1024];
        for _ in 0..ROUNDS {
            if self.rest.is_empty() && !self.ended {
                match from.read(&mut buffer) {
                    Ok(0) => self.ended = true,
                    Ok(n) => self.rest.extend_from_slice(&buffer[..n]),
                    Err(e) if is_later(&e) => return Ok(()),
                    Err(e) => return Err(e),
                }
            }
            if !self.rest.is_empty() {
                match to.write(&self.rest) {
                    Ok(n) if n == self.rest.len() => self.rest = Vec::new(),
                    Ok(n) => drop(self.rest.drain(..n)),
                    Err(e) if is_later(&e) => return Ok(()),
                    Err(e) => return Err(e),
                }
            }
            if self.ended && self.rest.is_empty() && !self.passed_on {
                to.shutdown(Shutdown::Write)?;
                self.passed_on = true;
            }
        }
        Ok(())
    }
}

fn is_later(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
