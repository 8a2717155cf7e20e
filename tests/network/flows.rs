//! Flows of UDP outlive the port that they came in by: what takes the port away has the kernel forget them too.

use std::net::UdpSocket;
use std::process::Command;
use std::time::Duration;

use kit_test::{own_netns, sh};

use crate::{Machine, rbridge, roots};

const FLOWS: &str = "grep -c 'dport=535[34] ' /proc/thread-self/net/nf_conntrack || :";

/// By the command and by its script, where the bridge is the last one with translation, and where another keeps it on.
#[test]
fn a_udp_client_is_forgotten_with_the_port_that_led_it_inside() {
    own_netns();
    let (dir, _) = roots();
    let (inside, outside) = (Machine::new(), Machine::new());
    inside.cable("v0", "10.77.0.2/24", "10.77.0.1");
    outside.cable("o0", "10.88.0.2/24", "10.88.0.1");
    sh("ip addr add 10.88.0.1/24 dev o0");
    rbridge(&dir, "add br1 --addr 10.78.0.1/24");
    let server = inside.does(|| UdpSocket::bind("0.0.0.0:53").unwrap());
    let client = outside.does(|| UdpSocket::bind("0.0.0.0:4000").unwrap());
    server
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    // Without conntrack(8) a script leaves the flows until they time out.
    let has_conntrack = Command::new("conntrack").arg("--version").output().is_ok();
    let ways = [(false, false), (true, false), (false, true), (true, true)];
    for (by_script, beside_another) in ways {
        for verb in [
            "nat br0 off",
            "del br0",
            "unpublish 5353/udp 10.88.0.1:5354/udp",
        ] {
            let when = format!("{verb}, by script: {by_script}, beside another: {beside_another}");
            if beside_another {
                rbridge(&dir, "nat br1 on");
            }
            rbridge(&dir, "add br0 --addr 10.77.0.1/24");
            rbridge(&dir, "attach br0 v0");
            rbridge(&dir, "nat br0 on");
            rbridge(
                &dir,
                "publish 5353:10.77.0.2:53/udp 10.88.0.1:5354:10.77.0.2:53/udp",
            );
            for port in ["5353", "5354", "5353", "5354"] {
                let at = format!("10.88.0.1:{port}");
                client.send_to(b"ask", at).unwrap();
                server.recv(&mut [0; 16]).expect(&when);
            }
            assert_eq!(sh(FLOWS), "2\n", "{when}");
            if by_script {
                sh(&rbridge(&dir, &format!("{verb} --dry-run")));
            } else {
                rbridge(&dir, verb);
            }
            if has_conntrack || !by_script {
                assert_eq!(sh(FLOWS), "0\n", "{when}");
            }
            rbridge(&dir, "del br0 --force");
            if beside_another {
                rbridge(&dir, "nat br1 off");
            }
        }
    }
}
