//! Published ports where something is in the way: IPv6, for which the monitor listens and passes bytes on, and somebody
//! else's chains. Asked by socat, on hosts of their own.

use std::net::UdpSocket;

use kit_test::Host;

const ASK: &str = "socat -t 5 - TCP6:[::1]:8080,connect-timeout=5";

/// A container that serves each connection by `server`, and is being listened in.
fn serving(flags: &str, server: &str) -> Host {
    let host = Host::new();
    host.ok(&format!(
        "rrun run -d --name web {flags} tools socat -t 60 TCP-LISTEN:80,fork,reuseaddr,backlog=64 'SYSTEM:{server}'"
    ));
    host.until("rrun exec web grep -q ':0050 00000000:0000 0A' /proc/net/tcp");
    host
}

#[test]
fn a_published_port_answers_on_ipv6_and_is_listed() {
    let host = serving("-p 8080:80 -p 127.0.0.1:81:80", "echo hi");
    assert_eq!(host.ok(ASK), "hi\n");
    assert_eq!(
        host.ok("rrun port web 80"),
        "0.0.0.0:8080\n[::]:8080\n127.0.0.1:81\n"
    );
    let ports = host.ok("rrun ps --format '{{.Ports}}'");
    assert!(ports.contains("[::]:8080->80/tcp"), "{ports}");
    let inspected = host.ok("rrun inspect -f '{{json .NetworkSettings.Ports}}' web");
    assert!(inspected.contains(r#""HostIp":"::""#), "{inspected}");
    // The port on one IPv4 address is on no other.
    assert_ne!(host.code("socat -u TCP6:[::1]:81 -"), 0);
    // Another cannot have it, and nobody listens when it has ended.
    let taken = host.outcome("rrun run --rm -p [::1]:8080:80 tools id");
    assert_eq!(taken.0, 125, "{}", taken.2);
    host.ok("rrun rm -f web");
    assert_ne!(host.code("socat -u TCP6:[::1]:8080 -"), 0);
}

#[test]
fn one_address_of_ipv6_is_no_other() {
    let host = serving("-p [::1]:8080:80", "echo hi");
    assert_eq!(host.ok(ASK), "hi\n");
    assert_eq!(host.ok("rrun port web"), "80/tcp -> [::1]:8080\n");
    assert_ne!(host.code("socat -u TCP4:127.0.0.1:8080 -"), 0);
    let (code, _, said) = host.outcome("rrun run --rm -p [::1]:53:53/udp tools id");
    assert_eq!(code, 125);
    assert!(said.contains("over IPv6 only tcp is passed on"), "{said}");
}

#[test]
fn much_goes_both_ways_and_a_half_closed_connection_answers() {
    // The answer begins when the question has ended; both are far more than any buffer.
    let host = serving("-p 8080:80", "cat >/got; cat /got /got");
    host.ok("head -c 20000000 /dev/urandom >sent; cat sent sent >doubled");
    host.ok(&format!("{ASK} <sent >got && cmp got doubled"));
}

#[test]
fn a_slow_reader_is_waited_for_and_many_are_served_meanwhile() {
    let host = serving("-p 8080:80", "head -c 3000000 /dev/zero");
    let slow = format!("{ASK} </dev/null | (sleep 1; wc -c) >slow & slow=$!");
    let many =
        "for n in $(seq 30); do socat -u TCP6:[::1]:8080 - | wc -c >n.$n & all=\"$all $!\"; done";
    host.ok(&format!("all=; {slow}; {many}; wait $slow $all"));
    assert_eq!(host.ok("sort -u slow n.*").trim(), "3000000");
    // The monitor lets go of all of them: what is left are those that listen, on IPv4 and IPv6.
    host.until("[ $(ss -tnpH state all '( sport = :8080 or dport = :80 )' | grep -c rrun) = 2 ]");
}

/// Clients for whom the monitor has no descriptor wait in the kernel's queue, and cost nothing meanwhile.
#[test]
fn clients_beyond_the_descriptors_wait_their_turn() {
    let host = serving("-p 8080:80", "cat");
    let monitor = host.ok("ps -o ppid= -p $(rrun inspect -f '{{.State.Pid}}' web)");
    let monitor = monitor.trim();
    let ticks = || -> u64 {
        let spent = host.ok(&format!("awk '{{print $14 + $15}}' /proc/{monitor}/stat"));
        spent.trim().parse().unwrap()
    };
    // Two descriptors for each connection: enough for the first three.
    host.ok(&format!(
        "n=$(( $(ls /proc/{monitor}/fd | wc -l) + 6 )); prlimit --pid {monitor} --nofile=$n:$n"
    ));
    let before = ticks();
    host.ok("mkfifo hold; for n in $(seq 6); do (echo hi; cat hold) | socat -t 5 - TCP6:[::1]:8080 >got.$n & done; exec 3>hold; sleep 2; exec 3>&-; wait");
    // Two hundred are two seconds.
    assert!(ticks() - before < 40, "{before} {}", ticks());
    host.ok("cat got.* | grep -c hi | grep -x 6");
    assert_eq!(host.ok(&ASK.replace("socat", "echo hi | socat")), "hi\n");
}

#[test]
fn a_container_advertises_no_route_to_this_host_and_believes_none() {
    let host = Host::new();
    host.ok("rrun run -d --name web tools sleep 100");
    // Over IPv4 the kernel asks the link and `all`. A namespace begins with the values of the machine's first one.
    let inside = "cd /proc/sys/net; cat ipv6/conf/eth0/accept_ra ipv6/conf/eth0/accept_redirects \
        ipv4/conf/eth0/accept_redirects ipv4/conf/all/accept_redirects";
    assert_eq!(
        host.ok(&format!("rrun exec web sh -c '{inside}'")),
        "0\n0\n0\n0\n"
    );
    let here =
        "cd /proc/sys/net; cat ipv6/conf/bk*/accept_ra ipv[46]/conf/bk*/accept_redirects | sort -u";
    assert_eq!(host.ok(here), "0\n");
    let run = format!("rrun run --dry-run --name two tools sh -c '{inside}' >script");
    assert_eq!(host.ok(&format!("{run}; sh script")), "0\n0\n0\n0\n");
    // The bridge is no host on the network but in IPv4.
    assert_eq!(host.ok("ip -6 addr show type bridge"), "");
    assert_eq!(
        host.ok("cat /proc/sys/net/ipv6/conf/bk0-*/disable_ipv6"),
        "1\n"
    );
}

#[test]
fn a_script_takes_its_port_back_at_its_end() {
    let host = Host::new();
    host.ok("rrun run -d --name other tools sleep 100");
    host.ok("rrun run --dry-run --name web -p 8080:80 tools id >script; sh script");
    assert_eq!(host.ok("nft list ruleset | grep 8080 || :"), "");
    host.ok("rrun run --rm -p 8080:80 tools id");
}

/// The kernel sends a client's packets where its first one went: to the server that has ended, or to nobody.
#[test]
fn a_udp_client_is_heard_again_once_its_server_has_been_restarted() {
    let host = Host::new();
    let listens = "rrun exec web grep -q ':0035 00000000:0000 ' /proc/net/udp";
    host.ok("rrun run -d --name web -p 5353:53/udp tools socat -u UDP-RECV:53 -");
    host.until(listens);
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    let from = client.local_addr().unwrap().port();
    let sends = |word: &str| {
        let sent = client.send_to(word.as_bytes(), "127.0.0.1:5353");
        assert_eq!(sent.unwrap(), word.len());
    };
    let flows = || {
        host.ok(&format!(
            "grep -c 'sport={from} dport=5353 ' /proc/thread-self/net/nf_conntrack || :"
        ))
    };
    sends("one\n");
    host.until("rrun logs web | grep -x one");
    assert_eq!(flows(), "1\n");
    host.ok("rrun stop web");
    assert_eq!(flows(), "0\n");
    sends("lost\n");
    assert_eq!(flows(), "1\n");
    host.ok("rrun start web");
    host.until(listens);
    sends("two\n");
    host.until("rrun logs web | grep -x two");
    assert_eq!(host.ok("rrun logs web"), "one\ntwo\n");
}

/// A stand-in for conntrack(8) writes down what it is asked for, and whether the port is published then; the real one
/// prints the flows that it deletes.
#[test]
fn a_script_forgets_its_udp_clients_at_its_end() {
    let host = Host::new();
    let stand_in = "#!/bin/sh
echo $(nft list ruleset | grep -c udp) \"$*\" >>asked
echo udp 17 29 src=127.0.0.1
exit 1
";
    std::fs::write(host.path().join("conntrack"), stand_in).unwrap();
    host.ok("rrun run -d --name other tools sleep 100; chmod +x conntrack");
    host.ok("rrun run --dry-run --name web -p 127.0.0.1:5353:53/udp tools id -u >script");
    assert_eq!(host.ok("PATH=$PWD:$PATH sh script 2>&1"), "0\n");
    // As the port is published, and once it is none any more.
    let asked = "-D -p udp --orig-dst 127.0.0.1 --orig-port-dst 5353\n";
    assert_eq!(host.ok("cat asked"), format!("1 {asked}0 {asked}"));
}

#[test]
fn without_ipv6_there_is_ipv4_alone() {
    let host = Host::new();
    host.ok("ip addr flush dev lo scope host; ip addr add 127.0.0.1/8 dev lo; echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6");
    host.ok("rrun run -d --name web -p 8080:80 tools sleep 100");
    assert_eq!(host.ok("rrun port web"), "80/tcp -> 0.0.0.0:8080\n");
}

#[test]
fn a_chain_of_somebody_else_that_drops_is_named_until_it_lets_us_through() {
    let host = Host::new();
    let said = |flags: &str| {
        let (code, out, said) = host.outcome(&format!("rrun run --rm {flags} tools id -u"));
        assert_eq!((code, out.as_str()), (0, "0\n"), "{said}");
        said
    };
    assert_eq!(said("-p 8080:80"), "");
    host.ok("nft 'add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }'");
    let told = said("-p 8080:80");
    let (line, hint) = told.split_once("\nhint: ").unwrap();
    assert!(
        line.starts_with(
            "rrun: chain \"ip filter FORWARD\" drops what this host forwards for bk0-"
        ),
        "{told}"
    );
    assert_eq!(said(""), "", "nothing is published");
    host.ok(hint.trim_end());
    assert_eq!(said("-p 8080:80"), "");
}

/// As docker: of a range the next free port is taken, also beside what this command has taken of it.
#[test]
fn a_range_that_is_given_twice_has_room_for_both() {
    let host = Host::new();
    host.ok("rrun create --name box -p 8000-8001:80 -p 8000-8001:81 -p 8002:82 -p 8002-8003:83 tools id");
    assert_eq!(
        host.ok("rrun inspect -f '{{range $p, $b := .HostConfig.PortBindings}}{{$p}}={{(index $b 0).HostPort}} {{end}}' box"),
        "80/tcp=8000 81/tcp=8001 82/tcp=8002 83/tcp=8003 \n"
    );
}
