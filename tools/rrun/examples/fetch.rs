//! A small web client: `fetch [--retry N] http://HOST:PORT/PATH` prints the page. It exits 1 with one line if there is none.
//! `--retry N` tries up to N times more, 0.1 s apart, while nothing answers: for a server that is just starting.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

const PAUSE: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(5);
const USAGE: &str = "usage: fetch [--retry N] http://HOST:PORT/PATH";

enum Failure {
    /// Nothing answered: that may change.
    Silence(String),
    /// Something answered, and this was it.
    Refusal(String),
}

fn main() -> ExitCode {
    let Some((retries, url)) = arguments(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let mut tries = retries;
    loop {
        let error = match fetch(&url) {
            Ok(body) => return print(&body),
            Err(Failure::Silence(_)) if tries > 0 => {
                tries -= 1;
                thread::sleep(PAUSE);
                continue;
            }
            Err(Failure::Silence(error) | Failure::Refusal(error)) => error,
        };
        eprintln!("fetch: {url}: {error}");
        return ExitCode::FAILURE;
    }
}

/// How often to try again, and the address.
fn arguments(mut args: impl Iterator<Item = String>) -> Option<(u32, String)> {
    let mut retries = 0;
    let mut url = None;
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--retry" => retries = args.next()?.parse().ok()?,
            _ if arg.starts_with("http://") && url.is_none() => url = Some(arg),
            _ => return None,
        }
    }
    Some((retries, url?))
}

fn print(body: &[u8]) -> ExitCode {
    match io::stdout().write_all(body) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn fetch(url: &str) -> Result<Vec<u8>, Failure> {
    let rest = url.trim_start_matches("http://");
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let silence = |error: io::Error| Failure::Silence(reason(&error));
    let mut stream = connect(host).map_err(silence)?;
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(silence)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).map_err(silence)?;
    body(&answer)
}

/// The first of the host's addresses that takes a connection. A port is 80 unless given.
fn connect(host: &str) -> io::Result<TcpStream> {
    let last = host.rsplit_once(':').map_or("", |(_, port)| port);
    let has_port = !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit());
    let with_port = if has_port {
        host.to_owned()
    } else {
        format!("{host}:80")
    };
    let mut failed = io::Error::other("no address of that name");
    for address in with_port.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => {
                stream.set_read_timeout(Some(PATIENCE))?;
                return Ok(stream);
            }
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// What follows the head of an answer whose status is 200, as long as the head says.
fn body(answer: &[u8]) -> Result<Vec<u8>, Failure> {
    if answer.is_empty() {
        return Err(Failure::Silence("closed without an answer".into()));
    }
    let refusal = |text: &str| Failure::Refusal(text.to_owned());
    let end = answer
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .ok_or_else(|| refusal("not an HTTP answer"))?;
    let head = String::from_utf8_lossy(&answer[..end]);
    let status = head
        .lines()
        .next()
        .unwrap_or("")
        .split_once(' ')
        .map_or("", |(_, status)| status);
    if !status.starts_with("200") {
        return Err(refusal(status));
    }
    let body = &answer[end + 4..];
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    match length.and_then(|(_, value)| value.trim().parse::<usize>().ok()) {
        Some(length) if body.len() < length => Err(refusal("the answer was cut off")),
        _ => Ok(body.to_vec()),
    }
}

/// The kernel's words without their number.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}
