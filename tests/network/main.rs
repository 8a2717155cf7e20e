//! What packets do: published ports from everywhere, translation, the closed doors. Hosts are network namespaces
//! that die with their threads.

#![allow(clippy::unwrap_used)] // a test that cannot go on says where

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use kit_net::Nft;
use kit_plan::Roots;
use kit_test::{binaries, own_netns, sh, skip};
use rbridge::forward_blockers;
use tempfile::TempDir;

mod flows;
mod others;

type Job = Box<dyn FnOnce() + Send>;

/// A machine: a thread in a namespace of its own that does what it is told.
struct Machine {
    jobs: mpsc::Sender<Job>,
    netns: String,
}

impl Machine {
    fn new() -> Self {
        let (jobs, inbox) = mpsc::channel::<Job>();
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            own_netns();
            let path = std::fs::read_link("/proc/thread-self").unwrap();
            tell.send(format!("/proc/{}/ns/net", path.display()))
                .unwrap();
            for job in inbox {
                job();
            }
        });
        Self {
            jobs,
            netns: told.recv().unwrap(),
        }
    }

    fn does<T: Send + 'static>(&self, act: impl FnOnce() -> T + Send + 'static) -> T {
        let (tell, told) = mpsc::channel();
        self.jobs
            .send(Box::new(move || drop(tell.send(act()))))
            .unwrap();
        told.recv().unwrap()
    }

    fn sh(&self, script: &str) -> String {
        let script = script.to_owned();
        self.does(move || sh(&script))
    }

    /// Plugs it in: our end `name`, its own eth0.
    fn cable(&self, name: &str, addr: &str, gateway: &str) {
        sh(&format!(
            "ip link add {name} type veth peer name eth0 netns {}; ip link set {name} up",
            self.netns
        ));
        self.sh(&format!(
            "ip link set eth0 up; ip addr add {addr} dev eth0; ip route add default via {gateway}"
        ));
    }

    /// Serves one word on a port; the word is followed by who asks.
    fn serves(&self, at: &str, word: &'static str) {
        let at = at.to_owned();
        let listener = self.does(move || TcpListener::bind(at).unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let peer = stream.peer_addr().unwrap().ip();
                let _ = stream.write_all(format!("{word} {peer}").as_bytes());
            }
        });
    }

    fn asks(&self, at: &str) -> Option<String> {
        let at = at.to_owned();
        self.does(move || ask(&at, ANSWERS))
    }

    /// Whether nothing is served there to this one.
    fn asks_in_vain(&self, at: &str) -> bool {
        let at = at.to_owned();
        self.does(move || ask(&at, DROPPED)).is_none()
    }
}

/// How long it is waited for a connection that should be there, and for one that should not.
const ANSWERS: Duration = Duration::from_secs(5);
const DROPPED: Duration = Duration::from_millis(700);

/// What is served there, to whom.
fn ask(at: &str, connects: Duration) -> Option<String> {
    let at: SocketAddr = at.parse().unwrap();
    let mut stream = TcpStream::connect_timeout(&at, connects).ok()?;
    let mut text = String::new();
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    stream.read_to_string(&mut text).ok()?;
    Some(text)
}

fn roots() -> (TempDir, Roots) {
    let dir = tempfile::tempdir().unwrap();
    let roots = Roots::at(dir.path().join("root"), dir.path().join("run"));
    roots.prepare().unwrap();
    (dir, roots)
}

/// What it prints, and it must go well.
fn rbridge(dir: &TempDir, args: &str) -> String {
    let (root, run) = (dir.path().join("root"), dir.path().join("run"));
    let out = Command::new(binaries().join("rbridge"))
        .args(args.split(' '))
        .env("BOXKIT_ROOT", root)
        .env("BOXKIT_RUN", run)
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "{args}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout).unwrap()
}

#[test]
fn published_ports_answer_everywhere_and_nothing_else_does() {
    own_netns();
    reach();
}

/// docker loads it, and has bridged frames go through the ip hooks.
#[test]
fn the_same_with_and_without_br_netfilter() {
    const CALL: &str = "/proc/sys/net/bridge/bridge-nf-call-ip";
    own_netns();
    if !std::path::Path::new(&format!("{CALL}tables")).exists() {
        skip(
            "the_same_with_and_without_br_netfilter",
            "br_netfilter is not loaded",
        );
        return;
    }
    let other = i32::from(sh(&format!("cat {CALL}tables")) != "1\n");
    sh(&format!(
        "for family in tables 6tables; do echo {other} >{CALL}$family; done"
    ));
    reach();
}

fn reach() {
    let (dir, _) = roots();
    let (inside, outside, beyond) = (Machine::new(), Machine::new(), Machine::new());
    rbridge(&dir, "add br0 --addr 10.77.0.1/24 --addr fd77::1/64");
    inside.cable("v0", "10.77.0.2/24", "10.77.0.1");
    rbridge(&dir, "attach br0 v0");
    outside.cable("o0", "10.88.0.2/24", "10.88.0.1");
    beyond.cable("b0", "10.99.0.2/24", "10.99.0.1");
    sh("ip addr add 10.88.0.1/24 dev o0; ip addr add 10.99.0.1/24 dev b0");
    rbridge(&dir, "nat br0 on");
    rbridge(
        &dir,
        "publish 8080:10.77.0.2:80 10.88.0.1:81:10.77.0.2:80 5353:10.77.0.2:53/udp",
    );
    inside.serves("0.0.0.0:80", "page");
    outside.serves("0.0.0.0:90", "world");
    beyond.serves("0.0.0.0:90", "beyond");

    // From the host: its own addresses and 127.0.0.1.
    for at in [
        "127.0.0.1:8080",
        "10.77.0.1:8080",
        "10.88.0.1:8080",
        "10.88.0.1:81",
        "10.77.0.2:80",
    ] {
        assert!(
            ask(at, ANSWERS).is_some_and(|text| text.starts_with("page ")),
            "{at}"
        );
    }
    assert_eq!(
        ask("127.0.0.1:81", DROPPED),
        None,
        "published on one address only"
    );
    // From outside, who is seen as himself; from the container itself, and not past the door.
    assert_eq!(
        outside.asks("10.88.0.1:8080").as_deref(),
        Some("page 10.88.0.2")
    );
    assert_eq!(
        outside.asks("10.88.0.1:81").as_deref(),
        Some("page 10.88.0.2")
    );
    assert_eq!(
        inside.asks("10.88.0.1:8080").as_deref(),
        Some("page 10.77.0.1")
    );
    assert_eq!(
        inside.asks("10.77.0.1:8080").as_deref(),
        Some("page 10.77.0.1")
    );
    assert!(
        outside.asks_in_vain("10.77.0.2:80"),
        "not through the back door"
    );
    // The container reaches the world under the host's address.
    assert_eq!(
        inside.asks("10.88.0.2:90").as_deref(),
        Some("world 10.88.0.1")
    );
    meets_its_neighbour(&dir, &inside);
    // What was not forwarded before is dropped still; without the guard it is not.
    assert!(outside.asks_in_vain("10.99.0.2:90"));
    sh("nft delete table ip boxkit-forward");
    assert_eq!(
        outside.asks("10.99.0.2:90").as_deref(),
        Some("beyond 10.88.0.2")
    );

    let datagrams = inside.does(|| UdpSocket::bind("0.0.0.0:53").unwrap());
    let asker = outside.does(|| UdpSocket::bind("0.0.0.0:0").unwrap());
    datagrams
        .set_read_timeout(Some(Duration::from_secs(2)))
        .unwrap();
    asker
        .set_read_timeout(Some(Duration::from_secs(2)))
        .unwrap();
    asker.send_to(b"ask", "10.88.0.1:5353").unwrap();
    let mut buffer = [0; 16];
    let (_, from) = datagrams.recv_from(&mut buffer).unwrap();
    datagrams.send_to(b"tell", from).unwrap();
    assert_eq!(asker.recv(&mut buffer).unwrap(), 4);

    rbridge(&dir, "nat br0 off");
    assert_eq!(ask("127.0.0.1:8080", DROPPED), None);
}

/// What the bridge passes between two of its ports goes by our rules under br_netfilter.
fn meets_its_neighbour(dir: &TempDir, inside: &Machine) {
    let neighbour = Machine::new();
    neighbour.cable("v1", "10.77.0.3/24", "10.77.0.1");
    rbridge(dir, "attach br0 v1");
    for (machine, n) in [(inside, 2), (&neighbour, 3)] {
        machine.sh(&format!("ip addr add fd77::{n}/64 dev eth0 nodad"));
    }
    neighbour.serves("[::]:91", "next");
    assert_eq!(
        inside.asks("10.77.0.3:91").as_deref(),
        Some("next ::ffff:10.77.0.2")
    );
    assert_eq!(inside.asks("[fd77::3]:91").as_deref(), Some("next fd77::2"));
    rbridge(dir, "detach v1");
}

/// CVE-2020-8558: `route_localnet` lets neighbours reach what listens on 127.0.0.1.
#[test]
fn loopback_stays_the_hosts_own() {
    own_netns();
    let (dir, roots) = roots();
    let inside = Machine::new();
    rbridge(&dir, "add br0 --addr 10.77.0.1/24");
    inside.cable("v0", "10.77.0.2/24", "10.77.0.1");
    rbridge(&dir, "attach br0 v0");
    rbridge(&dir, "nat br0 on");
    let secret = TcpListener::bind("127.0.0.1:9999").unwrap();
    std::thread::spawn(move || {
        for stream in secret.incoming() {
            let _ = stream.unwrap().write_all(b"secret");
        }
    });
    inside.sh(
        "echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet; ip addr del 127.0.0.1/8 dev lo
         ip route add 127.0.0.1/32 via 10.77.0.1 src 10.77.0.2",
    );
    assert!(inside.asks_in_vain("127.0.0.1:9999"));
    // The attack is a real one: without our two rules it gets through.
    sh(&format!("nft flush chain ip {} raw", roots.instance.name()));
    assert_eq!(inside.asks("127.0.0.1:9999").as_deref(), Some("secret"));
}

#[test]
fn chains_that_drop_are_named_with_the_way_through() {
    own_netns();
    let (dir, _) = roots();
    rbridge(&dir, "add br0 --addr 10.77.0.1/24");
    rbridge(&dir, "nat br0 on");
    let nft = Nft::open().unwrap();
    assert_eq!(forward_blockers(&nft, "br0").unwrap(), []);
    sh(
        "nft 'add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }'",
    );
    let found = forward_blockers(&nft, "br0").unwrap();
    assert_eq!(
        (found[0].chain.as_str(), found[0].owner),
        ("ip filter FORWARD", None)
    );
    // The command does what it says.
    let (inside, outside) = (Machine::new(), Machine::new());
    inside.cable("v0", "10.77.0.2/24", "10.77.0.1");
    rbridge(&dir, "attach br0 v0");
    outside.cable("o0", "10.88.0.2/24", "10.88.0.1");
    sh("ip addr add 10.88.0.1/24 dev o0");
    outside.serves("0.0.0.0:90", "world");
    assert!(inside.asks_in_vain("10.88.0.2:90"));
    sh(&found[0].command);
    assert_eq!(
        inside.asks("10.88.0.2:90").as_deref(),
        Some("world 10.88.0.1")
    );
    // Somebody has decided about it: nothing is left to say.
    assert_eq!(forward_blockers(&nft, "br0").unwrap(), []);
    assert_eq!(forward_blockers(&nft, "br").unwrap().len(), 1);
    sh("nft flush chain ip filter FORWARD; nft add chain ip filter DOCKER-USER");
    assert_eq!(
        forward_blockers(&nft, "br0").unwrap()[0].owner,
        Some("docker")
    );
}
