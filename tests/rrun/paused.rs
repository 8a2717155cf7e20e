//! A container whose cgroup is frozen: docker calls it paused.

use kit_test::Host;

/// `freeze` and `thaw` the cgroup `$g`, by the file of this host's freezer.
const FREEZER: &str = r#"
    if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
        at=/sys/fs/cgroup/$g; file=$at/cgroup.freeze told=$at/cgroup.events on=1 off=0 says='frozen 1'
    else
        at=/sys/fs/cgroup/freezer/$g; file=$at/freezer.state told=$file on=FROZEN off=THAWED says=FROZEN
    fi
    freeze() { echo $on >$file; until grep -qx "$says" $told; do sleep 0.01; done; }
    thaw() { echo $off >$file; while grep -qx "$says" $told; do sleep 0.01; done; }
"#;

/// A cgroup that no other test has; `rcgroup` gives it a directory in each freezer.
fn group(what: &str) -> String {
    format!("paused-{what}-{}", std::process::id())
}

/// One has the cgroup that it was given. The other has its own, which on v1 is in no freezer: its process is put into one.
#[test]
fn a_frozen_container_is_shown_as_paused() {
    let host = Host::new();
    let given = group("shown");
    host.ok(&format!(
        "set -e; rcgroup create {given}
         rrun run -d --name own --net none tools sleep 1000
         rrun run -d --name given --net none --cgroup {given} tools sleep 1000
         rrun run -d --name other --net none tools sleep 1000"
    ));
    let by_hand = format!("/sys/fs/cgroup/freezer/{given}-own");
    let own = format!(
        "if [ -e /sys/fs/cgroup/cgroup.controllers ]; then g=$(rrun info -f '{{{{.Instance}}}}')/$(rrun inspect -f '{{{{.Id}}}}' own)
         else g={given}-own; mkdir {by_hand}; rrun inspect -f '{{{{.State.Pid}}}}' own >{by_hand}/cgroup.procs; fi"
    );
    let look = "rrun ps -f status=paused --format '{{.Names}} {{.Status}}' | sed 's/ Up .* (Paused)$/ Up (Paused)/'
        rrun ps -f status=running --format '{{.Names}}' | sort | xargs
        rrun ps -q | wc -l
        rrun ps --format json | jq -r .State | sort | xargs
        rrun info -f '{{.ContainersRunning}} {{.ContainersPaused}}'
        rrun inspect -f '{{.Name}} {{.State.Status}} {{.State.Paused}} {{.State.Running}}' own given";
    let thawed = "given other own\n3\nrunning running running\n3 0\n/own running false true\n/given running false true\n";
    for (name, g, seen) in [
        (
            "own",
            own,
            "own Up (Paused)\ngiven other\n3\npaused running running\n2 1\n/own paused true true\n/given running false true\n",
        ),
        (
            "given",
            format!("g={given}"),
            "given Up (Paused)\nother own\n3\npaused running running\n2 1\n/own running false true\n/given paused true true\n",
        ),
    ] {
        // It is thawed before anything is compared: on v1 nothing ends what is frozen.
        let out = host.ok(&format!("{g}; {FREEZER} freeze; {look}; thaw; {look}"));
        assert_eq!(out, format!("{seen}{thawed}"), "{name}");
    }
    host.ok(&format!(
        "rrun rm -f own given other; rcgroup del {given}; [ ! -e {by_hand} ] || rmdir {by_hand}"
    ));
}

/// It would be frozen before it began. The hint is run.
#[test]
fn nothing_is_executed_in_a_paused_container() {
    let host = Host::new();
    let g = group("exec");
    host.ok(&format!(
        "rcgroup create {g} && rrun run -d --name box --net none --cgroup {g} tools sleep 1000"
    ));
    let out = host.ok(&format!(
        "g={g}; {FREEZER} freeze
         timeout 30 rrun exec box id -u 2>said; echo $?; head -n 1 said
         sh -ec \"$(sed -n 's/^hint: \\(.*\\) lets it go on$/\\1/p' said)\"
         timeout 30 rrun exec box id -u; thaw"
    ));
    assert_eq!(
        out,
        "1\nrrun: executing in container \"box\": it is paused\n0\n"
    );
    host.ok(&format!("rrun rm -f box; rcgroup del {g}"));
}

/// v1 keeps the killed as long as they are frozen.
#[test]
fn a_paused_container_is_killed_stopped_and_removed_in_its_time() {
    let host = Host::new();
    let g = group("killed");
    host.ok(&format!("rcgroup create {g}"));
    for verb in ["kill box", "stop -t 0 box", "stop -t 1 box", "rm -f box"] {
        let script = format!(
            "rrun run -d --name box --net none --cgroup {g} tools sleep 1000 >/dev/null
             g={g}; {FREEZER} freeze; timeout 8 rrun {verb} || {{ thaw; exit 9; }}; thaw
             rrun ps -q | wc -l; rrun rm -f box 2>/dev/null || :"
        );
        let out = host.ok(&script);
        assert!(out.starts_with("box\n0\n"), "{verb}: {out}");
    }
    host.ok(&format!("rcgroup del {g}"));
}
