//! docs/builders.md: the sandbox of tools/runpack/examples/sandbox.rs does what the page says, and leaves nothing.
#![allow(clippy::unwrap_used)] // a test stops where it fails

use kit_test::{Room, binaries};

/// A room whose scripts have a network and mounts of their own, and an image of this machine's programs.
fn room() -> Room {
    let room = Room::apart(
        &["--net", "--mount", "--propagation", "private"],
        "mount -t tmpfs t /run; ip link set lo up\n",
    );
    room.ok("runpack pack -t tools --bin sh ip id sleep touch");
    room
}

/// The example, called `sandbox`, and `left`, which prints what is there of it: links, namespaces, cgroups, mounts, pins,
/// files; nothing, where all is undone.
fn script(rest: &str) -> String {
    let example = binaries().join("examples/sandbox");
    format!(
        "sandbox() {{ {0} \"$@\"; }}
         exec_sandbox() {{ exec {0} \"$@\"; }}
         left() {{
             ip -br link | grep -o '^bd1h' || :
             ls /run/netns 2>/dev/null || :
             find /sys/fs/cgroup -maxdepth 3 -name bd1 2>/dev/null || :
             findmnt -rno TARGET | grep /bd1 || :
             ls \"$BOXKIT_ROOT/images/pins\" \"$BOXKIT_RUN/journals\" | grep bd1 || :
             if [ -e \"$BOXKIT_RUN/bd1\" ]; then echo bd1; fi
         }}
         {rest}",
        example.display()
    )
}

/// One after the other: the example's names are the same each time.
#[test]
fn a_sandbox_of_thirty_lines_does_what_its_page_says() {
    let room = room();
    the_program_is_inside_and_nothing_stays(&room);
    a_failure_undoes_what_was_done(&room);
    a_signal_undoes_all_and_a_kill_is_undone_by_the_next(&room);
}

fn the_program_is_inside_and_nothing_stays(room: &Room) {
    let said = room.ok(&script(
        "sandbox tools sh -c 'ip -br -4 addr show eth0; id -u; touch /x' | tr -s ' @' ' '
         sandbox tools sh -c 'exit 7' || echo \"code $?\"
         sandbox tools sh -c 'kill -9 $$' || echo \"code $?\"
         left",
    ));
    let (eth0, rest) = said.split_once('\n').unwrap();
    assert!(eth0.starts_with("eth0 ") && eth0.contains("UP 10.213.1.2/24"));
    assert_eq!(rest, "0\ncode 7\ncode 137\n");
}

fn a_failure_undoes_what_was_done(room: &Room) {
    let said = room.ok(&script(
        "sandbox tools no-such-program 2>&1 && exit 9
         sandbox no-such-image sh 2>&1 && exit 9
         ip link add bd1h type veth
         sandbox tools sh 2>&1 && exit 9
         ip link del bd1h
         left",
    ));
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(
        lines,
        [
            "sandbox: executing \"no-such-program\": no such command on PATH",
            "sandbox: finding image \"no-such-image\": not in the store",
            "sandbox: creating link \"bd1h\": that name is taken there",
        ]
    );
}

fn a_signal_undoes_all_and_a_kill_is_undone_by_the_next(room: &Room) {
    let begin = "exec_sandbox tools sleep 60 & pid=$!
         n=0; until inside=$(cat /sys/fs/cgroup/bd1/cgroup.procs /sys/fs/cgroup/pids/bd1/tasks 2>/dev/null || :) && \
             [ \"$inside\" ] && [ \"$(cat /proc/$inside/comm)\" = sleep ]; do
             sleep 0.05; n=$((n + 1)); [ $n -lt 200 ] || exit 9
         done
         cat /sys/fs/cgroup/memory/bd1/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/bd1/memory.max\n";
    let ask = room.ok(&script(&format!(
        "{begin} kill -TERM $pid
         wait $pid || echo \"code $?\"; left"
    )));
    assert_eq!(ask, "67108864\ncode 1\n");
    // Killed, it leaves all of it; whoever comes next undoes that first.
    for next in ["sandbox tools sh -c :", "runpack gc >/dev/null"] {
        let kill = room.ok(&script(&format!(
            "{begin} kill -KILL $pid; wait $pid || echo \"code $?\"
             left | grep -cx bd1; {next}; left"
        )));
        let (limit, rest) = kill.split_once('\n').unwrap();
        assert_eq!(limit, "67108864");
        let (code, rest) = rest.split_once('\n').unwrap();
        assert_eq!(code, "code 137");
        let (there, left) = rest.split_once('\n').unwrap();
        assert!(there.parse::<u32>().unwrap() >= 2, "{there}");
        assert_eq!(left, "", "after {next}");
    }
}

#[test]
fn the_page_shows_the_examples_as_they_are() {
    let page = include_str!("../docs/builders.md");
    for (example, begin) in [
        (
            include_str!("../tools/runpack/examples/sandbox.rs"),
            "fn sandbox",
        ),
        (
            include_str!("../tools/box/engine/examples/bundle.rs"),
            "fn run(",
        ),
    ] {
        let from = example.find(begin).unwrap();
        let to = example.find("\nfn main").unwrap();
        assert!(page.contains(example[from..to].trim_end()), "{begin}");
        assert!(example.lines().count() < 60, "{begin}");
    }
}
