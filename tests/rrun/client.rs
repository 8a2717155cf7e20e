//! How a client that follows a container ends when the container does not.

use kit_test::Host;

/// Until the client `$pid` takes SIGTERM by its descriptor: the 15th bit of its mask (proc(5)).
const LISTENS: &str =
    "until grep -q '^SigBlk:.*[4-7c-f]...$' /proc/$pid/status 2>/dev/null; do sleep 0.05; done";

/// Whoever types knows the client's PID.
const TYPES: &str = "until [ -s pid ]; do sleep 0.05; done; pid=$(cat pid)";

/// docker's StdinOnce.
#[test]
fn input_ends_with_the_client_that_began_the_container() {
    let host = Host::new();
    host.ok("rrun run -d -i --name lasting --net none tools cat");
    // The end of what another types is not the container's.
    host.ok(
        "for word in hello again; do echo $word | timeout -s KILL 1 rrun attach lasting || :; done",
    );
    assert_eq!(
        host.ok("rrun logs lasting; rrun ps --format '{{.Names}}'"),
        "hello\nagain\nlasting\n"
    );
    // One that is killed has nothing more to say.
    host.ok("mkfifo words; rrun run -i --name mine --net none tools cat <words & pid=$!; exec 3>words; echo one >&3; \
        until rrun logs mine | grep -q one; do sleep 0.05; done; kill -9 $pid; timeout 20 rrun wait mine");
}

#[test]
fn a_reader_that_leaves_is_told_what_goes_on() {
    let host = Host::new();
    let said = host.ok("{ rrun run --name loud --net none tools sh -c 'while :; do echo y; done' 2>said; echo $? >code; } | head -n 1; cat code said");
    assert_eq!(
        said,
        "y\n1\nrrun: writing to standard output: its reader has gone, and container \"loud\" still runs\n\
         hint: rrun stop loud ends it, rrun logs loud shows what it says; its log grows without a bound meanwhile\n"
    );
    assert_eq!(host.ok("timeout 20 rrun stop -t 0 loud"), "loud\n");
}

#[test]
fn three_signals_end_a_client_whose_container_heeds_none() {
    let host = Host::new();
    for (verb, name) in [
        ("run --name one tools sleep 1000", "one"),
        ("attach one", "one"),
    ] {
        let (code, _, said) = host.outcome(&format!(
            "rrun {verb} & pid=$!; until rrun ps -q | grep -q .; do sleep 0.05; done; {LISTENS}; \
             kill -INT $pid; sleep 0.2; kill -TERM $pid; sleep 0.2; kill -0 $pid || exit 99; kill -TERM $pid; wait $pid"
        ));
        let first = said.lines().next();
        let line = Some("rrun: got 3 SIGTERM/SIGINTs, forcefully exiting");
        assert_eq!((code, first), (1, line), "{verb}");
        assert_eq!(
            host.ok("rrun ps --format '{{.Names}}'"),
            format!("{name}\n")
        );
    }
    // With its signals not passed on, the first one ends the client.
    let one = format!(
        "rrun attach --sig-proxy=false one & pid=$!; {LISTENS}; kill -TERM $pid; wait $pid"
    );
    assert_eq!(host.code(&one), 143);
    assert_eq!(host.ok("rrun ps --format '{{.Names}}'"), "one\n");
}

#[test]
fn closing_the_terminal_ends_the_client_alone() {
    let host = Host::new();
    host.ok("rrun run -dit --name box --net none tools sh -c 'trap \"echo hup\" HUP; while :; do sleep 0.1; done'");
    host.ok("rrun create -it --name other --net none tools sh -c 'while :; do sleep 0.1; done'");
    for verb in ["attach box", "start -ai box", "start -ai other"] {
        // script(1) is killed, and its terminal ends with it.
        host.ok(&format!(
            "sleep 1.2 | timeout -s KILL 1 script -qec 'echo $$ >pid; exec rrun {verb}' /dev/null >/dev/null 2>&1 || :"
        ));
        host.until("! grep -q rrun /proc/$(cat pid)/cmdline 2>/dev/null");
    }
    let (code, out, _) = host.outcome(
        &format!("rm pid; ({TYPES}; {LISTENS}; sleep 0.3; printf '\\020\\021'; sleep 0.5) | \
            script -qec 'sh -c \"echo \\$\\$ >pid; exec rrun attach box\"; echo code=$?; stty -a' /dev/null"),
    );
    assert_eq!(code, 0, "{out}");
    assert!(
        out.contains("rrun: read escape sequence\r\ncode=1\r\n"),
        "{out}"
    );
    // A signal leaves the terminal as it was.
    let (_, out, _) = host.outcome(
        &format!("rm pid; ({TYPES}; {LISTENS}; sleep 0.3; kill -TERM $pid; sleep 0.5) | \
            script -qec 'sh -c \"echo \\$\\$ >pid; exec rrun attach box\"; echo code=$?; stty -a' /dev/null"),
    );
    assert!(
        out.contains("code=143\r\n") && out.contains(" icanon"),
        "{out}"
    );
    assert_eq!(
        host.ok("rrun ps --format '{{.Names}}' | sort"),
        "box\nother\n"
    );
    assert_eq!(host.ok("rrun logs box | grep -c hup || :"), "0\n");
}

#[test]
fn input_that_a_container_does_not_read_waits_with_the_client() {
    let host = Host::new();
    let reads = "until [ -e /go ]; do sleep 0.05; done; exec cat";
    host.ok("seq 7000000 | head -c 50000000 >input");
    host.ok(&format!(
        "rrun run -i --name lazy --net none tools sh -c '{reads}' <input >out 2>&1 & \
         until rrun ps -q | grep -q .; do sleep 0.05; done; sleep 1"
    ));
    let monitor = "$(rrun inspect -f '{{.State.Pid}}' lazy | xargs -I % awk '/^PPid/ { print $2 }' /proc/%/status)";
    let resident = format!("awk '/^RssAnon/ {{ print $2 }}' /proc/{monitor}/status");
    let kib: u64 = host.ok(&resident).trim().parse().unwrap();
    assert!(kib < 4096, "the monitor holds {kib} KiB");
    host.ok("rrun exec lazy touch /go; rrun wait lazy");
    host.until("cmp input out");
}

/// Each of the four waits for the next when nobody reads and writes at once.
#[test]
fn megabytes_go_in_and_come_out_at_once() {
    let host = Host::new();
    host.ok("seq 2000000 | head -c 10000000 >input");
    let sums = host.ok(
        "timeout 100 rrun run -i --rm --net none tools cat <input | sha256sum; sha256sum <input",
    );
    let (through, sent) = sums.split_once('\n').unwrap();
    assert_eq!(through, sent.trim_end());
}

/// As docker: what was drawn was on another's screen, and nothing would be drawn here before a key is typed.
#[test]
fn who_attaches_again_sees_the_program_draw_anew() {
    let host = Host::new();
    host.ok("rrun run -dit --name box --net none tools sh -c 'trap \"echo drawn\" WINCH; while :; do sleep 0.1; done'");
    for time in ["first", "again"] {
        host.ok(
            ": >screen; { n=0; until grep -q drawn screen || [ $n = 100 ]; do n=$((n + 1)); sleep 0.1; done; printf '\\020\\021'; sleep 0.3; } | \
             script -qec 'stty rows 24 cols 80; rrun attach box || :' /dev/null >screen",
        );
        assert!(host.ok("cat screen").contains("drawn"), "{time}");
    }
}
