use std::net::TcpListener;

use super::*;

#[test]
fn ports_read_as_written() {
    for text in ["8080:172.30.0.2:80/tcp", "127.0.0.1:53:10.0.0.2:53/udp"] {
        assert_eq!(Published::parse(text).unwrap().to_string(), text);
    }
    assert_eq!(
        Published::parse("0.0.0.0:1:10.0.0.2:2")
            .unwrap()
            .to_string(),
        "1:10.0.0.2:2/tcp"
    );
    for (text, reason) in [
        ("8080", "it is [IP:]PORT:ADDRESS:PORT[/udp]"),
        ("0:10.0.0.2:80", "a port is a number from 1 to 65535"),
        ("65536:10.0.0.2:80", "a port is a number from 1 to 65535"),
        (
            "80:web:80",
            "the container's address is not an IPv4 address",
        ),
        (
            "x:80:10.0.0.2:80",
            "the host's address is not an IPv4 address",
        ),
        ("80:10.0.0.2:80/icmp", "after the slash comes tcp or udp"),
    ] {
        let error = Published::parse(text).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("reading port {text:?}: {reason}")
        );
    }
}

#[test]
fn an_element_reads_back_as_the_port() {
    for text in ["8080:172.30.0.2:80/tcp", "127.0.0.1:53:10.0.0.2:5353/udp"] {
        let port = Published::parse(text).unwrap();
        let element = Element {
            key: port.key(),
            data: Some(port.data()),
        };
        assert_eq!(
            Published::read(&element, port.host.ip.is_some()),
            Some(port)
        );
    }
}

#[test]
fn the_holder_of_a_port_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let taken = HostPort {
        ip: None,
        port,
        proto: Proto::Tcp,
    };
    let holder = taken.holder().unwrap();
    assert!(
        holder.ends_with(&format!("(PID {})", std::process::id())),
        "{holder}"
    );
    let error = taken.probe(&Place::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("publishing port \"{port}/tcp\": {holder} has it")
    );
}
