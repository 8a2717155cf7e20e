//! What dies with its run: of a container of `run --rm` and of `--rootfs` the disk has the layer alone, and not that for long.

use kit_test::Host;

/// All of the root but the contents of images, with the time of each change in a directory.
fn disk(host: &Host) -> String {
    host.ok(
        r"find root -path 'root/images/blobs/*' -prune -o -path 'root/images/unpacked/*' -prune -o -path 'root/layers*' -prune -o -printf '%p %T@\n' | sort",
    )
}

/// The layers of transient containers; the volatile mount's own files left out.
fn layers(host: &Host) -> String {
    host.ok(
        r"cd root/layers/*; find . -mindepth 1 -not -path '*/work/*' | sed -E 's/[0-9a-f]{64}/ID/' | sort",
    )
}

/// A host where all directories have been made that a run needs.
fn used() -> Host {
    let host = Host::new();
    host.ok("rrun create --name other tools id; rrun run --rm -v /anon tools id; rrun run --rm --rootfs / --net host true; rrun gc");
    host
}

#[test]
fn the_disk_has_its_layer_alone() {
    let host = used();
    let before = disk(&host);
    host.ok("rrun run -d --rm --name box -p 8080:80 tools sh -c 'until [ -e /say ]; do sleep 0.05; done; echo said; exec sleep 1000'");
    assert_eq!(
        layers(&host),
        "./ID\n./ID/hostname\n./ID/hosts\n./ID/resolv.conf\n./ID/upper\n./ID/work\n"
    );
    assert_eq!(disk(&host), before);
    assert_eq!(
        host.outcome("rrun logs box"),
        (0, String::new(), String::new())
    );
    host.ok("rrun exec box touch /say");
    assert_eq!(host.until("rrun logs box | grep ."), "said\n");
    let wanted = "./ID\n./ID/hostname\n./ID/hosts\n./ID/log.jsonl\n./ID/resolv.conf\n./ID/upper\n./ID/upper/say\n./ID/work\n";
    assert_eq!(layers(&host), wanted);
    let paths = "'{{.LogPath}} {{.GraphDriver.Data.UpperDir}}/say {{.GraphDriver.Data.WorkDir}} {{.HostsPath}}'";
    host.ok(&format!("ls -d $(rrun inspect -f {paths} box)"));
    host.ok("rrun rename box new; rrun restart -t 0 new; rrun ps | grep -w new");
    assert_eq!(disk(&host), before);
    // Of its end the trash alone has seen something.
    host.ok("rrun stop -t 0 new; rrun gc --keep-network");
    let but_trash = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with("root/trash "));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(but_trash(&disk(&host)), but_trash(&before));
    assert_eq!(layers(&host), "");
}

/// A directory as root has no layer, and a log once it says something.
#[test]
fn a_directory_as_root_writes_its_log_alone() {
    let host = used();
    let before = disk(&host);
    host.ok("runpack unpack tools dir; rrun run -d --name box --net none --rootfs dir -- sh -c 'sleep 1; echo said; exec sleep 1000'");
    assert_eq!(layers(&host), "");
    assert_eq!(host.until("rrun logs box | grep ."), "said\n");
    assert_eq!(layers(&host), "./ID\n./ID/log.jsonl\n");
    assert_eq!(disk(&host), before);
    host.ok("rrun rm -f box; rrun gc");
    assert_eq!(layers(&host), "");
    assert_eq!(host.ok("ls -A root/trash run/transient/*"), host.ok("for d in root/trash run/transient/containers run/transient/names run/transient/trash; do echo $d:; echo; done | head -n -1"));
}

#[test]
fn a_log_is_followed_that_does_not_exist_yet() {
    let host = used();
    for way in ["tools", "--rootfs dir --"] {
        host.ok("rm -rf dir; runpack unpack tools dir");
        host.ok(&format!("rrun run -d --rm --name box --net none {way} sh -c 'until [ -e /say ]; do sleep 0.05; done; echo last'"));
        let mut logs = host.command("exec rrun logs -f box >said").spawn().unwrap();
        host.ok("sleep 0.3; rrun exec box touch /say");
        assert!(logs.wait().unwrap().success());
        assert_eq!(host.ok("cat said; rrun gc"), "last\n", "{way}");
        assert_eq!(layers(&host), "", "{way}");
    }
}

#[test]
fn its_image_stays_whoever_removes_it() {
    let host = used();
    let id = host.ok("rrun images -q --no-trunc tools");
    host.ok("rrun rm other; rrun run -d --rm --name box tools sleep 1000");
    let refused = "removing image \"tools\": it is used by container \"box\"\nhint: rrun rm -f box removes it";
    // Another instance has the same store.
    for run in ["run", "run2"] {
        for tool in ["rrun", "runpack"] {
            let (code, out, said) =
                host.outcome(&format!("export BOXKIT_RUN=$PWD/{run}; {tool} rmi tools"));
            assert_eq!((code, out.as_str()), (1, ""), "{run}");
            assert!(
                said.starts_with(&format!("{tool}: {refused}")),
                "{run}: {said}"
            );
            host.ok(&format!("export BOXKIT_RUN=$PWD/{run}; {tool} gc"));
        }
    }
    host.ok("BOXKIT_RUN=$PWD/run2 runpack rmi -f tools; BOXKIT_RUN=$PWD/run2 rrun gc; runpack gc");
    assert_eq!(host.ok("rrun exec box id -u"), "0\n");
    assert_ne!(host.ok("ls root/images/unpacked"), "");
    host.ok(&format!("rrun rm -f box; runpack rmi {}", id.trim()));
    assert_eq!(
        host.ok("ls root/images/unpacked run/images/pins"),
        "root/images/unpacked:\n\nrun/images/pins:\n"
    );
}

#[test]
fn a_name_is_one_containers_of_either_kind() {
    let host = used();
    host.ok("rrun run -d --rm --name brief --net none tools sleep 1000");
    let taken = |name: &str| format!("rrun: naming a container \"{name}\": container ");
    for (words, name) in [
        ("run --rm --name other tools id", "other"),
        ("create --name brief tools id", "brief"),
        ("rename other brief", "brief"),
        ("rename brief other", "other"),
    ] {
        let (code, _, said) = host.outcome(&format!("rrun {words}"));
        assert!(
            code != 0 && said.starts_with(&taken(name)),
            "{words}: {said}"
        );
    }
    let names = "rrun ps -a --format '{{.Names}}' | sort";
    assert_eq!(host.ok(names), "brief\nother\n");
    assert_eq!(host.ok("rrun stop -t 0 brief; rrun create --name brief tools id >/dev/null; rrun rename brief kept; rrun run --rm --name brief tools id -u"), "brief\n0\n");
}

/// Kills what there is of a run, as a power cut does, and empties the run root.
const CUT: &str = "state=run/transient/containers/$id/state.json
    slay $(jq .monitor.pid,.process.pid $state)";
const REBOOT: &str = "find run -mindepth 1 -delete; find /sys/fs/cgroup -depth -type d -name $id -exec rmdir {} + 2>/dev/null || :";

#[test]
fn after_a_reboot_gc_takes_what_nobody_has() {
    let host = used();
    host.ok(&format!(
        "id=$(rrun run -d --rm --net none -v /anon -v named:/named tools sh -c 'echo hi; exec sleep 1000')
         mkdir root/volumes/.$id.02.new; {CUT}; {REBOOT}"
    ));
    assert_eq!(
        host.ok("rrun ps -aq --no-trunc"),
        host.ok("ls root/containers")
    );
    assert_eq!(host.ok("ls -A root/volumes | wc -l").trim(), "3");
    assert_ne!(layers(&host), "");
    // Its script does the same.
    host.ok("cp -a root kept; rrun gc --dry-run >s; sh -e s");
    let by_script = disk_names(&host);
    assert_eq!(layers(&host), "");
    host.ok("rm -rf root; mv kept root; rrun gc");
    assert_eq!(
        (layers(&host), disk_names(&host)),
        (String::new(), by_script)
    );
    assert_eq!(host.ok("ls -A root/volumes"), "named\n");
    assert_eq!(host.ok("rrun gc; rrun run --rm tools id -u"), "0\n");
}

fn disk_names(host: &Host) -> String {
    host.ok("find root -not -path 'root/images/*' | sort")
}

#[test]
fn gc_leaves_alone_what_is_being_made() {
    let host = used();
    host.ok("x=$(printf %064d 7); echo $x >x; made=run/transient/containers/.$x.new; layer=$(echo root/layers/*)/$x
        mkdir -p $made $layer/upper root/volumes/$(printf %062d 0)00; : >run/images/pins/$x");
    let mut at_work =
        host.command("exec 9<run/transient/containers/.$(cat x).new; flock -s 9; exec sleep 1000");
    let mut at_work = at_work.spawn().unwrap();
    host.until("! flock -n run/transient/containers/.$(cat x).new true");
    let here = disk_names(&host) + &host.ok("find run/transient run/images");
    host.ok("rrun gc");
    assert_eq!(
        disk_names(&host) + &host.ok("find run/transient run/images"),
        here
    );
    at_work.kill().unwrap();
    at_work.wait().unwrap();
    host.until("flock -n run/transient/containers/.$(cat x).new true");
    host.ok("rrun gc");
    assert_eq!(layers(&host), "");
    assert_eq!(
        host.ok("ls -A root/volumes run/images/pins run/transient/containers | grep 0 || :"),
        ""
    );
}

/// `rm` without -v keeps volumes without a name, and so does the gc after an `rm` that was killed.
#[test]
fn a_removal_that_was_killed_keeps_the_volumes_that_it_was_to_keep() {
    let host = used();
    host.ok("runpack unpack tools dir");
    for (flags, kept) in [("--rootfs dir", 1), ("--rm --rootfs dir", 0)] {
        host.ok(&format!(
            "id=$(rrun run -d --net none -v /anon {flags} -- sleep 1000); {CUT}; rrun ps -aq >/dev/null
             mv run/transient/containers/$id run/transient/trash; rrun gc"
        ));
        assert_eq!(layers(&host), "", "{flags}");
        let volumes = host.ok("ls root/volumes | wc -l");
        assert_eq!(volumes.trim(), kept.to_string(), "{flags}");
        host.ok("rrun volume prune -f");
    }
}

#[test]
fn a_monitor_that_is_killed_as_it_removes_leaves_nothing_after_gc() {
    let host = used();
    let state =
        |host: &Host| disk_names(host) + &host.ok("find run -not -path 'run/networks*' | sort");
    let before = state(&host);
    for delay in 0..16 {
        host.ok(&format!(
            "id=$(rrun run -d --rm --net none -v /anon tools sh -c 'echo hi; exec sleep 1000')
             state=run/transient/containers/$id/state.json; monitor=$(jq .monitor.pid $state); process=$(jq .process.pid $state)
             kill -9 $process; sleep 0.00{:02}; slay $monitor $process
             rrun gc; rrun gc",
            delay * 6
        ));
        assert_eq!(state(&host), before, "{delay}");
    }
}

/// The monitor would have taken the volume along; it was killed, and `rm` comes before `gc`.
#[test]
fn the_unnamed_volume_of_a_killed_run_goes_with_it() {
    let host = Host::new();
    host.ok("rrun run -d --rm --name box --net none -v /data tools sleep 1000");
    assert_eq!(host.ok("ls root/volumes | wc -l"), "1\n");
    host.ok("pid=$(rrun inspect -f '{{.State.Pid}}' box); slay $(ps -o ppid= $pid) $pid");
    host.ok("rrun rm -f box");
    assert_eq!(host.ok("rrun gc; ls root/volumes | wc -l"), "0\n");
}
