//! The flows of UDP ports in scripts, which forget them by conntrack(8); what the kernel does is in `network`.

use crate::Host;

/// A conntrack(8) that writes down what it is asked for, and then is as the real one that finds nothing. The real one
/// prints the flows that it finds, too.
const STAND_IN: &str = r#"mkdir bin
cat >bin/conntrack <<'END'
#!/bin/sh
echo "$*" >>asked
echo "udp 17 29 src=127.0.0.1"
echo "0 flow entries have been deleted." >&2
exit 1
END
chmod +x bin/conntrack"#;

#[test]
fn a_script_forgets_the_flows_of_the_udp_ports_that_it_gives_and_takes() {
    const ANY: &str = "-D -p udp --orig-port-dst 53\n";
    const ONE: &str = "-D -p udp --orig-dst 127.0.0.1 --orig-port-dst 54\n";
    let publish = "publish 53:10.77.0.2:53/udp 127.0.0.1:54:10.77.0.2:53/udp";
    let both = format!("{ANY}{ONE}");
    let both = both.as_str();
    let host = Host::new();
    host.sh(STAND_IN);
    host.ok("add br0 --addr 10.77.0.1/24");
    host.ok("nat br0 on");
    for (verb, wanted) in [
        (publish, both),
        ("publish 80:10.77.0.2:80", ""),
        ("unpublish 80", ""),
        ("unpublish 53/udp", ANY),
        ("unpublish 127.0.0.1:54/udp", ONE),
        (publish, both),
        ("nat br0 off", both),
        ("nat br0 on", ""),
        (publish, both),
        ("del br0", both),
    ] {
        host.sh(&format!("rbridge {verb} --dry-run >script; : >asked"));
        // It stops at nothing, and nothing of this is output of the script's.
        let said = host.sh("PATH=$PWD/bin:$PATH sh script 2>&1");
        assert_eq!(said, "", "{verb}");
        assert_eq!(host.sh("cat asked"), wanted, "{verb}");
    }
    assert_eq!(host.sh("nft list tables"), "", "the script did it");
}

#[test]
fn a_script_for_another_namespace_forgets_the_flows_there() {
    let host = Host::new();
    host.ok("add br0 --addr 10.77.0.1/24");
    host.ok("nat br0 on");
    host.ok("publish 53:10.77.0.2:53/udp");
    let there = "--netns /proc/self/ns/net";
    for verb in ["unpublish 53/udp", "nat br0 off", "del br0"] {
        let script = host.ok(&format!("{verb} {there} --dry-run"));
        let forgets =
            "\nnsenter --net=/proc/self/ns/net sh -c 'conntrack \"$@\" >/dev/null' sh -D ";
        assert_eq!(script.matches(forgets).count(), 1, "{verb}: {script}");
    }
}
