//! `rrun gc` as a script, explained, and that it leaves alone what is somebody's.

use kit_test::Host;

/// What killed commands leave: a half-made container with its pin, volumes and name, a removed one, one whose end
/// nobody saw, names of nobody, a network without members.
const LEFT: &str = "rrun run -d --name gone tools sleep 1000 >/dev/null; rrun create --name kept -v /anon tools sh >/dev/null
    rrun run -d --name over --net none tools sleep 1000 >/dev/null; rrun rm -f gone >/dev/null
    id=$(rrun create --name half -v /anon tools sh); mv root/containers/$id root/containers/.$id.new; mkdir root/volumes/.$id.01.new
    id=$(rrun create --name dead -v /anon tools sh); touch root/containers/$id/doomed; mkdir -p root/trash; mv root/containers/$id root/trash
    echo $id >root/names/lost; echo $(rrun ps -aq --no-trunc -f name=kept) >root/names/was; mkdir -p run/containers/$id run/networks/.bridge.99999999
    pid=$(rrun inspect -f '{{.State.Pid}}' over); slay $(ps -o ppid= $pid) $pid";

fn state(host: &Host) -> String {
    let files = r"find root run -path root/images/blobs -prune -o -path root/images/unpacked -prune -o -print | sed -E 's/[0-9a-f]{62,64}/ID/' | sort";
    host.ok(&format!(
        "{files}; ip -br link | cut -d' ' -f1; nft list ruleset; cat /proc/sys/net/ipv4/ip_forward"
    ))
}

#[test]
fn its_script_leaves_what_it_leaves() {
    let states = [
        "rrun gc >/dev/null",
        "rrun gc --dry-run >s; unchanged; sh -e s >/dev/null",
    ]
    .map(|way| {
        let host = Host::new();
        host.ok(LEFT);
        host.until("! ip -br link | grep -q '^bk[0-9a-f]*@'");
        let before = state(&host);
        for part in way.split("; ") {
            if part == "unchanged" {
                assert_eq!(state(&host), before);
            } else {
                assert_eq!(
                    host.outcome(part),
                    (0, String::new(), String::new()),
                    "{part}"
                );
            }
        }
        assert_eq!(
            host.ok("rrun ps -a --format '{{.Names}} {{.Status}}' | cut -d' ' -f1-3 | sort"),
            "kept Created\nover Exited (255)\n"
        );
        assert_eq!(
            host.ok("ls root/names; ls root/volumes root/images/pins | wc -l"),
            "kept\nover\n6\n"
        );
        let (after, again) = (state(&host), host.ok("rrun gc"));
        assert_eq!((state(&host), again.as_str()), (after.clone(), ""));
        let instance = host.ok("rrun info | sed -n 's/^Instance: //p'");
        after
            .replace(instance.trim(), "INSTANCE")
            .replace(&instance.trim().replace("boxkit", "bk0"), "BRIDGE")
    });
    assert_eq!(states[0], states[1]);
}

#[test]
fn what_it_does_is_explained_and_traced() {
    let host = Host::new();
    host.ok(LEFT);
    let (code, out, said) = host.outcome("rrun gc --explain=sh");
    assert_eq!(code, 0);
    assert!(out.contains("undone: rrun run --name over"), "{out}{said}");
    assert!(
        out.ends_with("removed: the empty network\nremoved: 13 left-over names and directories\n"),
        "{out}"
    );
    for why in [
        "Free a name that no container has",
        "Delete a container that was never finished",
        "flock -n ",
    ] {
        assert!(said.contains(why), "{why}: {said}");
    }
    let (code, out, said) = host.outcome("rrun gc --trace");
    assert_eq!((code, out.as_str()), (0, ""));
    assert!(said.lines().all(|line| line.starts_with('{')), "{said}");
}

/// A gc that is at work on what the last run left deletes that journal at its end, and not the new run's.
#[test]
fn a_start_waits_for_the_gc_that_undoes_the_last_run() {
    let host = Host::new();
    host.ok("rrun run -d --name box --net none tools sleep 1000
        id=$(rrun ps -q --no-trunc); pid=$(rrun inspect -f '{{.State.Pid}}' box); slay $(ps -o ppid= $pid) $pid
        journal=$(ls run/*/$id.jsonl); echo $journal >journal
        { flock 9; touch held; sleep 1; touch released; } 9<$journal >log 2>&1 &
        until [ -e held ]; do sleep 0.01; done
        rrun start box && [ -e released ]; code=$?; wait $!; exit $code");
    // The new one is there, and its monitor holds it.
    let held = host.code("flock -n $(cat journal) true");
    assert_eq!(
        (held, host.ok("rrun ps --format '{{.Names}}'").as_str()),
        (1, "box\n")
    );
}

/// Starts of one container and many a gc, side by side.
#[test]
fn a_gc_beside_the_starts_of_one_container_spoils_none() {
    let host = Host::new();
    host.ok("rrun create --name box tools id -u");
    let out = host.ok("{ until [ -e over ]; do rrun gc || exit; done; } & \
        for n in 1 2 3 4 5 6 7 8 9 10; do rrun start -a box 2>said || { cat said; echo failed; break; }; done; touch over; wait $!");
    let starts: Vec<&str> = out.lines().filter(|line| !line.contains(':')).collect();
    assert_eq!(starts, ["0"; 10], "{out}");
}

#[test]
fn rm_takes_what_a_killed_monitor_and_its_program_have_left() {
    let host = Host::new();
    host.ok("rrun run -d -m 64m --name box tools sleep 1000");
    let group = "$(rrun info -f '{{.Instance}}')";
    let left =
        format!("find /sys/fs/cgroup -type d -path \"*/{group}/*\" 2>/dev/null; ls run/journals");
    assert_ne!(host.ok(&left), "");
    host.ok("pid=$(rrun inspect -f '{{.State.Pid}}' box); slay $(ps -o ppid= $pid) $pid");
    assert_eq!(host.ok("rrun rm -f box"), "box\n");
    assert_eq!(host.ok(&left), "");
    // The kernel takes the cable with the network namespace, a moment after the last process in it.
    host.until("! ip -br link | grep -q '^bk[0-9a-f]*@'");
}

/// `rcgroup set` makes directories in hierarchies where the run had none.
#[test]
fn a_limit_given_later_leaves_no_cgroup() {
    let host = Host::new();
    let find = "find /sys/fs/cgroup -type d -path \"*/$(rrun info -f '{{.Instance}}')*\"";
    for end in [
        "rrun rm -f web",
        "rrun kill web; rrun wait web; rrun rm web",
    ] {
        let id = host.ok("rrun run -d --name web --net none tools sleep 1000");
        let id = id.trim();
        host.ok(&format!(
            "rcgroup set \"$(rrun info -f '{{{{.Instance}}}}')/{id}\" -m 64m --pids-limit 50"
        ));
        host.ok(end);
        // Others' groups may go while find walks.
        let left = host.ok(&format!("{find} -name {id} 2>/dev/null || :"));
        assert_eq!(left, "", "{end}");
    }
    // What a killed monitor has left.
    let group = "/sys/fs/cgroup/memory/$(rrun info -f '{{.Instance}}')";
    let id = "0123456789abcdef".repeat(4);
    host.ok(&format!(
        "[ ! -d /sys/fs/cgroup/memory ] || mkdir -p {group}/{id}; rrun gc"
    ));
    assert_eq!(host.ok(&format!("{find} 2>/dev/null || :")), "");
}

/// A program that uses the store pins an image for its session, under a name of its own: gc has no part in that.
#[test]
fn a_session_of_a_program_keeps_its_pins() {
    let host = Host::new();
    let roots = kit_plan::Roots::at(host.path().join("root"), host.path().join("run"));
    let store = runpack::Store::open(&roots.root);
    let open = |name| kit_plan::Session::open(&roots, name, kit_undo::Kernel::new()).unwrap();
    // One owner's name has the form of a container's ID.
    let like_an_id = "0123456789abcdef".repeat(4);
    let mut session = open("builder");
    for owner in ["builder", &like_an_id] {
        session
            .apply(store.pin_plan("tools", owner).unwrap())
            .unwrap();
    }
    host.ok(&format!(
        "echo $(rrun images -q --no-trunc tools) >root/images/pins/{}",
        "f".repeat(64)
    ));
    host.ok("rrun gc");
    let pins = format!("{like_an_id}\nbuilder\n");
    assert_eq!(host.ok("ls root/images/pins"), pins);
    assert_eq!(host.code("rrun rmi tools"), 1);
    assert_eq!(session.undo().to_string(), "nothing is left");
    assert_eq!(host.ok("ls root/images/pins"), "");
}

/// A directory that a program has filled meanwhile stays, and the session says so: it does not say that all is undone.
#[test]
fn a_session_tells_what_it_leaves_because_it_is_anothers() {
    use kit_plan::{Context, Done, Meta, Part, Plan, Saying, Shell, Step, StepError, Undo, run};
    struct MakeDir(std::path::PathBuf);
    impl Step for MakeDir {
        fn meta(&self) -> Meta {
            let says = Saying::new(Part::Files, "Make a directory", "建一个目录");
            Meta::new("dir.make", says, Shell::Exact(vec![run!["mkdir", &self.0]]))
        }

        fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
            let fail = |e| StepError::new(format!("making {:?}", self.0), e);
            std::fs::create_dir(&self.0).map_err(fail)?;
            Ok(Done::made(vec![Undo::rmdir(&self.0)]).identified())
        }
    }
    let host = Host::new();
    let roots = kit_plan::Roots::at(host.path().join("root"), host.path().join("run"));
    let open = || kit_plan::Session::open(&roots, "upper", kit_undo::Kernel::new()).unwrap();
    let upper = host.path().join("upper");
    for is_written in [false, true] {
        let mut session = open();
        let mut plan = Plan::new("make");
        plan.push(MakeDir(upper.clone()));
        session.apply(plan).unwrap();
        if is_written {
            std::fs::write(upper.join("file"), "mine").unwrap();
        }
        let left = session.undo();
        assert_eq!(left.is_empty(), !is_written, "{left}");
        assert_eq!(left.spared.len(), usize::from(is_written), "{left}");
        assert_eq!(upper.exists(), is_written);
        assert!(!is_written || left.to_string().contains("upper"), "{left}");
    }
}
