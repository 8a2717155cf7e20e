//! What a container does to its neighbours and to those who manage it.

use std::time::{Duration, Instant};

use kit_test::Host;

use super::beside;

/// Its own files of users are swapped under us: a FIFO, a device, a directory, a link to itself, 8 GB of nothing.
/// The program is one that does not look up users itself: it would wait at a FIFO for its own sake.
#[test]
fn files_of_users_that_change_in_a_loop_hold_up_no_exec_and_no_end() {
    let host = Host::new();
    let swap = "for make in 'mkfifo p' 'mknod p c 1 5' 'mkdir p' 'ln -s passwd p' 'truncate -s 8G p'; do \
                rm -rf p passwd; $make; mv p passwd 2>/dev/null; rm -rf p; done";
    beside(&host, "sleep 0.1", 4, |round| {
        host.ok(&format!(
            "trap 'touch swapped' EXIT; rrun run -d --name box$$ --net none tools sleep 1000 >id; etc=/proc/$(rrun inspect -f '{{{{.State.Pid}}}}' $(cat id))/root/etc
             (cd $etc && until [ -e {0}/swapped ]; do {swap}; done) >/dev/null 2>&1 & job=$!
             for n in 1 2 3 4 5; do timeout 20 rrun exec -u web $(cat id) ls / 2>>said; [ $? -ne 124 ] || exit 3; done
             timeout 20 rrun exec -u 7 $(cat id) ls / >/dev/null || exit 4
             timeout 20 rrun rm -f $(cat id) >/dev/null || exit 5
             touch swapped; wait $job; rm swapped",
            host.path().display()
        ));
        assert_eq!(host.ok("rrun ps -aq"), "", "round {round}");
    });
}

/// Whatever its programs do, `rm -f` ends them.
#[test]
fn rm_ends_whatever_a_container_does() {
    let host = Host::new();
    let programs = [
        ("", "trap : TERM INT HUP QUIT; while :; do sleep 1; done"),
        (
            "--pids-limit 40",
            "f() { while :; do f & sleep 0.01; done; }; f 2>/dev/null",
        ),
        (
            "",
            "sh -c \"kill -STOP \\$\\$\" & while :; do sleep 1; kill -STOP -1 2>/dev/null; done",
        ),
        ("", "while :; do echo a line that nobody reads; done"),
        ("-i", "exec cat"),
        ("--init", "(sleep 1000 &); (sleep 1000 &); exec sleep 1000"),
        (
            "-m 16m",
            "x=x; while :; do x=$x$x; done 2>/dev/null; sleep 1000",
        ),
    ];
    beside(&host, "sleep 0.1", 1, |_| {
        for (flags, program) in programs {
            host.ok(&format!(
                "rrun run -d --name box {flags} tools sh -c '{program}'; sleep 0.3"
            ));
            let start = Instant::now();
            host.ok("timeout 60 rrun rm -f box");
            let took = start.elapsed();
            assert!(took < Duration::from_secs(20), "{program}: {took:?}");
            assert_eq!(host.ok("rrun ps -aq; rrun gc >/dev/null"), "", "{program}");
        }
    });
}

/// A container that calls itself the router of its network, in a loop. That its advertisements are good ones is shown
/// by a neighbour that was told to listen.
#[test]
fn router_advertisements_of_a_container_are_believed_by_nobody() {
    let host = Host::new();
    // Hop limit 255 (RFC 4861, 6.1.2); 1800 s as a default router; prefix 2001:db8::/64 for addresses.
    let advertise = "printf '\\206\\000\\000\\000\\100\\000\\007\\010\\000\\000\\000\\000\\000\\000\\000\\000\\003\\004\\100\\300\\000\\000\\007\\010\\000\\000\\007\\010\\000\\000\\000\\000\\040\\001\\015\\270\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000' \
                     | socat -u - IP6-SENDTO:[ff02::1%eth0]:58,setsockopt=41:18:xff000000";
    host.ok(
        "rrun run -d --name other tools sleep 1000; rrun run -d --name gullible tools sleep 1000",
    );
    host.ok("nsenter -n -t $(rrun inspect -f '{{.State.Pid}}' gullible) sh -c 'echo 2 >/proc/sys/net/ipv6/conf/eth0/accept_ra'");
    host.ok(&format!(
        "rrun run -d --name liar tools sh -c \"while :; do {}; sleep 0.2; done\"",
        advertise.replace('"', "\\\"").replace('\\', "\\\\")
    ));
    host.until("rrun exec gullible ip -6 route show default | grep -q fe80");
    let before = host.ok("ip -6 route | grep -v '^fe80\\|^ff' || :");
    beside(&host, "sleep 0.1", 3, |round| {
        let up = host.ok("rrun run --rm tools sh -c 'sleep 0.5; ip -6 route show default; ip -6 addr show eth0 | grep -c 2001:db8 || :'");
        assert_eq!(up, "0\n", "round {round}");
        assert_eq!(host.ok("rrun exec other ip -6 route show default"), "");
        assert_eq!(host.ok("ip -6 route | grep -v '^fe80\\|^ff' || :"), before);
        assert_eq!(host.ok("ip -6 addr | grep -c 2001:db8 || :"), "0\n");
    });
    host.ok("rrun rm -f other gullible liar");
}
