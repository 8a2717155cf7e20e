//! A small web server to run in a container: `hello-web [PORT]`, or `$PORT`, or 8080.
//! It serves `/data/index.html` if there is one, and otherwise says how the world looks from inside. Each request is a line on stdout.
//! As PID 1 it must take SIGTERM itself: the kernel keeps from a namespace's first process every signal it has no handler for.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::process::{ExitCode, id};
use std::time::Duration;
use std::{env, fs, thread};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::SignalFd;

const PAGE: &str = "/data/index.html";
/// A client that says nothing is let go, and one that says too much.
const PATIENCE: Duration = Duration::from_secs(5);
const LONGEST_REQUEST: u64 = 16 * 1024;

fn main() -> ExitCode {
    let Err(error) = serve() else {
        return ExitCode::SUCCESS;
    };
    eprintln!("hello-web: {error}");
    ExitCode::FAILURE
}

fn serve() -> Result<(), Box<dyn Error>> {
    // Blocked before the first thread starts, and so in all of them: they arrive at the descriptor alone.
    let signals = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT]);
    signals.thread_block()?;
    let signals = SignalFd::new(&signals)?;
    let given = env::args().nth(1).or_else(|| env::var("PORT").ok());
    let port = given.unwrap_or_else(|| "8080".into());
    let number: u16 = port.parse().map_err(|e| format!("port \"{port}\": {e}"))?;
    let listener = TcpListener::bind(("0.0.0.0", number))
        .map_err(|e| format!("listening on port {port}: {e}"))?;
    say(&format!("listening on 0.0.0.0:{port}, as PID {}", id()));
    loop {
        let waits = [signals.as_fd(), listener.as_fd()];
        let mut ready = waits.map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        poll(&mut ready, PollTimeout::NONE)?;
        if ready[0].any() == Some(true) {
            say("asked to stop: bye");
            return Ok(());
        }
        // thread::spawn would panic where a limit on processes refuses one more.
        let started = listener
            .accept()
            .and_then(|(stream, peer)| thread::Builder::new().spawn(move || answer(stream, peer)));
        if let Err(error) = started {
            say(&format!("not answering: {error}"));
        }
    }
}

/// One request, one answer, and the line about it.
fn answer(mut stream: TcpStream, peer: SocketAddr) {
    let request = match read_request(&stream) {
        Ok(request) => request,
        Err(error) => return say(&format!("{peer} {error}")),
    };
    let mut words = request.split(' ');
    let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let path = target.split('?').next().unwrap_or("");
    let (status, kind, body) = match (method, path) {
        ("GET" | "HEAD", "/" | "/index.html") => page(),
        ("GET" | "HEAD", _) => text("404 Not Found", format!("there is no {path} here\n")),
        _ => text("405 Method Not Allowed", "GET or HEAD\n".into()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let wanted = if method == "HEAD" { 0 } else { body.len() };
    let sent = stream.write_all(&[head.as_bytes(), &body[..wanted]].concat());
    let outcome = sent.map_or_else(|error| error.to_string(), |()| status.to_owned());
    say(&format!("{peer} \"{}\" {outcome}", request.escape_debug()));
}

/// The request line; the headers are read and passed over, as the answer depends on none.
fn read_request(stream: &TcpStream) -> io::Result<String> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut lines = BufReader::new(stream.take(LONGEST_REQUEST)).lines();
    let request = lines.next().ok_or(io::ErrorKind::UnexpectedEof)??;
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    Ok(request)
}

type Answer = (&'static str, &'static str, Vec<u8>);

fn page() -> Answer {
    match fs::read(PAGE) {
        Ok(page) => ("200 OK", "text/html; charset=utf-8", page),
        Err(_) => text("200 OK", where_am_i()),
    }
}

fn text(status: &'static str, body: String) -> Answer {
    (status, "text/plain; charset=utf-8", body.into_bytes())
}

/// What a program can see of its container.
fn where_am_i() -> String {
    let hostname =
        fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_else(|_| "unknown\n".into());
    format!(
        "Hello from {}\nPID:          {}\naddresses:    {}\nmemory limit: {}\n",
        hostname.trim(),
        id(),
        addresses().join(" "),
        memory_limit(),
    )
}

fn addresses() -> Vec<String> {
    let all = nix::ifaddrs::getifaddrs().into_iter().flatten();
    all.filter_map(|link| {
        let address = link.address?;
        let ip = address.as_sockaddr_in().map(|a| a.ip().to_string());
        let ip = ip.or_else(|| address.as_sockaddr_in6().map(|a| a.ip().to_string()))?;
        (link.interface_name != "lo").then(|| format!("{ip} ({})", link.interface_name))
    })
    .collect()
}

/// In either cgroup version's file; v1's "none" is a number near 2^63.
fn memory_limit() -> String {
    let files = [
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ];
    let read = files.iter().find_map(|file| fs::read_to_string(file).ok());
    match read.and_then(|text| text.trim().parse::<u64>().ok()) {
        Some(bytes) if bytes < 1 << 60 => format!("{} MiB", bytes >> 20),
        _ => "none".into(),
    }
}

/// A log that nobody reads must not end the server: println! would panic.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}
