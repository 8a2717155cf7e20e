//! `rrun top`: which processes it lists, beside pgrep(1), and how.

use kit_test::Host;

#[test]
fn the_containers_processes_are_listed_as_ps_lists_them() {
    let host = Host::new();
    host.ok("rrun run -d --name other --net none tools sleep 1001; rrun run -d --name web --net none tools sh -c 'sleep 1002; :'");
    host.ok("rrun exec -d web sleep 1003");
    host.until("rrun exec web ps -e -o args | grep -q '^sleep 1003'");
    // By another way: PID namespaces, as pgrep sees them.
    let theirs = "pgrep -d, --ns $(rrun inspect -f '{{.State.Pid}}' web) --nslist pid | tr -d '\n'";
    let pids = host.ok(theirs);
    // The last ones choose processes by something else, and draw trees.
    for options in [
        "-ef",
        "aux",
        "-o pid,args",
        "-o args,pid",
        "-o lstart,user,pid,ni",
        "-u 0 -o lstart,pid,args",
        "axf",
    ] {
        let got = host.ok(&format!("rrun top web {options}"));
        let all = host.ok(&format!("ps {options} -w"));
        assert_eq!(got.lines().next(), all.lines().next(), "{options}");
        // ps(1) aligns it at its end.
        let end = got.find("PID").unwrap() + 3;
        let listed = got.lines().skip(1);
        let listed = listed.map(|line| line[..end].rsplit(' ').next().unwrap());
        let mut listed: Vec<&str> = listed.collect();
        listed.sort_by_key(|pid| pid.parse::<u32>().unwrap());
        assert_eq!(listed.join(","), pids, "{options}: {got}");
    }
    assert_eq!(host.ok("rrun top web -u 65534").lines().count(), 1);
    // The column C, how much of a CPU each has used, changes meanwhile.
    let columns =
        |command: &str| host.ok(&format!("rrun {command} | awk '{{ $4 = \"\"; print }}'"));
    assert_eq!(columns("top web"), columns("container top web -ef"));
    let all = host.ok("rrun top web");
    for line in ["sh -c sleep 1002; :", "sleep 1002", "sleep 1003"] {
        assert!(all.lines().any(|it| it.ends_with(line)), "{line}: {all}");
    }
    assert!(!all.contains("sleep 1001"), "{all}");
    let both = host.ok("printf 'web\nother\n' | rrun top - -o pid,args | grep -c '^ *PID'");
    assert_eq!(both, "2\n");
}

/// A cgroup of the user's may hold other processes; one with every right may have none; namespaces may be in it.
#[test]
fn what_is_in_the_container_is_listed_and_no_more() {
    let host = Host::new();
    let name = format!("bk-top-{}", std::process::id());
    let run = |word: &str| {
        format!("rrun run -d --name {word} --net none --cgroup {name} tools sleep 1000")
    };
    let got = host.outcome(&format!(
        "trap 'rrun rm -f one two >/dev/null 2>&1; rcgroup del --force {name}' EXIT
         rcgroup create {name} -m 64m && {} && {} && rrun top one -o pid,args | grep -c sleep",
        run("one"),
        run("two")
    ));
    assert_eq!((got.0, got.1.lines().last()), (0, Some("1")), "{got:?}");
    host.ok("runpack pack -t more --bin sh sleep unshare");
    let unshare = "unshare -fp sh -c \"sleep 1004; :\"; :";
    host.ok(&format!(
        "rrun run -d --name deep --net none --privileged more sh -c '{unshare}'"
    ));
    let list = "rrun top deep -o args | sed 1d";
    let deep = host.until(&format!(
        "{list} | grep -x 'sleep 1004' >/dev/null && {list}"
    ));
    let wanted = format!(
        "sh -c {unshare}\nunshare -fp sh -c sleep 1004; :\nsh -c sleep 1004; :\nsleep 1004"
    );
    assert_eq!(deep.trim_end(), wanted);
}

#[test]
fn what_cannot_be_listed_is_told() {
    let host = Host::new();
    host.ok("rrun create --name old --net none tools id; rrun run -d --name web --net none tools sleep 1000");
    for (typed, said) in [
        (
            "old",
            "listing the processes of container \"old\": it is not running\nhint: rrun start old starts it",
        ),
        (
            "nosuch",
            "No such container: nosuch\nhint: rrun ps -a shows them all",
        ),
        (
            "web -u 0 -o args",
            "reading what ps prints: it has no column PID\nhint: with these options one of the columns must be pid: -eo pid,args",
        ),
        (
            "web --frobnicate",
            "running ps: unknown gnu long option\nhint: what follows CONTAINER is for ps(1)",
        ),
    ] {
        let got = host.outcome(&format!("rrun top {typed}"));
        assert_eq!(
            got,
            (1, String::new(), format!("rrun: {said}\n")),
            "{typed}"
        );
    }
    let without = "r=$(command -v rrun); PATH=/nowhere $r top web";
    let (code, _, said) = host.outcome(without);
    let hint = "hint: it is of Debian's package procps: apt install procps\n";
    assert!(code == 1 && said.ends_with(hint), "{code} {said}");
}
