//! The bridge itself: its hardware address, what it does not listen to, its addresses, its ports.

use serde_json::Value;

use crate::Host;

impl Host {
    fn of(&self, link: &str, key: &str) -> Value {
        self.json(&format!("ip -j -d link show {link}"))[0][key].clone()
    }

    fn sysctl(&self, path: &str) -> String {
        self.sh(&format!("cat /proc/sys/net/{path}"))
            .trim()
            .to_owned()
    }

    fn addresses(&self, link: &str) -> Vec<String> {
        let shown = self.json(&format!("ip -j addr show {link}"));
        let all = shown[0]["addr_info"].as_array().unwrap().iter();
        let all = all.filter(|addr| addr["scope"] != "link");
        all.map(|addr| format!("{}/{}", addr["local"].as_str().unwrap(), addr["prefixlen"]))
            .collect()
    }
}

/// Made by the command, and by its script.
#[test]
fn a_bridge_keeps_its_hardware_address_as_ports_come_and_go() {
    let host = Host::new();
    host.ok("add br1");
    for add in ["rbridge add br0", "rbridge add br0 --dry-run | sh"] {
        host.sh(add);
        let mac = host.of("br0", "address");
        assert_ne!(host.of("br1", "address"), mac, "{add}");
        // One station's, and locally administered.
        let first = u8::from_str_radix(&mac.as_str().unwrap()[..2], 16).unwrap();
        assert_eq!(first & 3, 2, "{add}: {mac}");
        // The kernel gives a bridge without one of its own that of its lowest port.
        host.sh(
            "for n in 1 2; do ip link add v$n address 02:00:00:00:00:0$n type veth peer name w$n; done",
        );
        for change in [
            "rbridge attach br0 v2 v1",
            "ip link del v1",
            "rbridge detach v2",
            "ip link del v2",
        ] {
            host.sh(change);
            assert_eq!(host.of("br0", "address"), mac, "{add}; {change}");
        }
        host.ok("del br0");
    }
}

#[test]
fn a_bridge_makes_nobody_this_hosts_router() {
    let host = Host::new();
    host.ok("add v4 --addr 10.77.0.1/24");
    host.ok("add v6 --addr fd77::1/64");
    for bridge in ["v4", "v6"] {
        for listens in [
            "ipv6/conf/{}/accept_ra",
            "ipv6/conf/{}/accept_redirects",
            "ipv4/conf/{}/accept_redirects",
        ] {
            let path = listens.replace("{}", bridge);
            assert_eq!(host.sysctl(&path), "0", "{path}");
        }
    }
    // Nobody asked for IPv6 here, so there is not even a link-local address, with a port or without.
    host.sh("ip link add p0 type veth peer name p1; ip link set p1 up");
    host.ok("attach v4 p0");
    assert_eq!(host.sysctl("ipv6/conf/v4/disable_ipv6"), "1");
    assert_eq!(host.sh("ip -6 addr show v4"), "");
    assert_eq!(host.addresses("v6"), ["fd77::1/64"]);
    // Asked for later, it is there.
    host.ok("set v4 --addr fd78::1/64");
    assert_eq!(host.addresses("v4"), ["10.77.0.1/24", "fd78::1/64"]);
    assert_eq!(host.sysctl("ipv6/conf/v4/accept_ra"), "0");
}

#[test]
fn addresses_are_given_and_taken_and_put_back_if_that_fails() {
    let host = Host::new();
    host.ok("add br0 --addr 10.77.0.1/24 --addr 10.77.0.2/24");
    // The kernel would take the second along, and a new one of the same network.
    host.ok("set br0 --del-addr 10.77.0.1/24 --addr 10.77.0.3/24");
    assert_eq!(host.addresses("br0"), ["10.77.0.2/24", "10.77.0.3/24"]);
    let before = host.state();
    // An address that is there already is refused by the kernel, when one is gone and one has come.
    let (code, said) =
        host.fails("set br0 --del-addr 10.77.0.3/24 --addr fd77::1/64 --addr 10.77.0.2/24");
    assert_eq!(code, 1);
    assert!(
        said.starts_with("rbridge: adding address \"10.77.0.2/24\" to link \"br0\": "),
        "{said}"
    );
    assert_eq!(host.state(), before);
}

#[test]
fn a_cable_that_closes_a_loop_is_refused() {
    let host = Host::new();
    host.sh("ip link add a0 type veth peer name a1; ip link add b0 type veth peer name b1");
    host.ok("add br0 br1");
    host.ok("attach br0 a0");
    let (code, said) = host.fails("attach br0 a1");
    assert_eq!(code, 1);
    assert_eq!(
        said,
        "rbridge: attaching link \"a1\" to bridge \"br0\": its cable's other end \"a0\" is on that bridge already, and frames would go round for ever\n\
         hint: rbridge detach a0; or, on a bridge that breaks loops by itself, rbridge attach --force br0 a1\n"
    );
    // Two cables between two bridges are one too.
    host.ok("attach br1 a1 b1");
    let (_, said) = host.fails("attach br0 b0");
    assert!(
        said.contains("other end \"b1\" is on bridge \"br1\", which leads to this one"),
        "{said}"
    );
    assert_eq!(host.of("b0", "master"), Value::Null);
    // Unless the bridge breaks them itself, or it is said that it does.
    host.sh("ip link set br0 type bridge stp_state 1");
    host.ok("attach br0 b0");
    host.ok("detach b0");
    host.sh("ip link set br0 type bridge stp_state 0; ip link set a1 down; ip link set b1 down");
    host.ok("attach --force br0 b0");
}

#[test]
fn detach_lowers_what_attach_raised() {
    let host = Host::new();
    host.sh("ip link add v0 type veth peer name v1; ip link add w0 type veth peer name w1; ip addr add 10.1.0.1/24 dev w0");
    host.ok("add br0");
    host.ok("attach br0 v0 w0");
    host.ok("detach v0 w0");
    let up = |link| {
        host.of(link, "flags")
            .as_array()
            .unwrap()
            .contains(&"UP".into())
    };
    assert!(!up("v0"));
    assert!(up("w0"), "it has an address: somebody uses it");
}

#[test]
fn the_list_says_who_translates_and_where_ports_lead() {
    let host = Host::new();
    host.ok("add br0 --addr 10.77.0.1/24");
    host.ok("nat br0 on");
    host.ok("publish 8080:10.77.0.2:80");
    // The same network once more, on a bridge that nobody translates for.
    host.ok("add br1 --addr 10.77.0.1/24");
    let other = "export BOXKIT_RUN=$BOXKIT_RUN.2; rbridge list --json";
    let table = host.sh("nft list tables ip | grep -o 'boxkit-[0-9a-f]\\{6\\}$'");
    for list in ["rbridge list --json", other] {
        let rows = host.json(list);
        assert_eq!(
            (&rows[0]["nat"], &rows[1]["nat"]),
            (&true.into(), &false.into())
        );
        assert_eq!(rows[0]["instance"], table.trim());
        assert_eq!(
            rows[0]["published"],
            serde_json::json!(["8080:10.77.0.2:80/tcp"])
        );
        assert_eq!(rows[1]["published"], serde_json::json!([]));
        let mac = host.of("br0", "address");
        let mac = mac.as_str().unwrap().replace(':', "");
        assert_eq!(rows[0]["id"], format!("8000.{mac}"));
    }
    let told = host.sh("export BOXKIT_RUN=$BOXKIT_RUN.2; rbridge show br0");
    assert!(told.contains(&format!("on, by {}", table.trim())), "{told}");
    assert!(
        host.ok("show br0").contains(" on "),
        "{}",
        host.ok("show br0")
    );
}
