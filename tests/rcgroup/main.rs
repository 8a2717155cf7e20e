//! rcgroup against the running kernel: what it did is read from the kernel's own files, by cat(1); a dry-run is
//! replayed by sh and must leave the same.
#![allow(clippy::unwrap_used)] // a test stops where it fails

mod lists;
mod refusals;

use std::process::Output;

use kit_test::Room;

/// Groups whose names begin with a name of this test's own; they go with it.
struct Groups {
    room: Room,
    name: String,
}

impl Groups {
    fn new(test: &str) -> Self {
        Self {
            room: Room::new(),
            name: format!("t-{test}-{}", std::process::id()),
        }
    }

    /// A script of sh, where `$g` is the name.
    fn sh(&self, script: &str) -> Output {
        self.room.sh(&format!("g={}\n{script}", self.name))
    }

    fn ok(&self, script: &str) -> String {
        self.room.ok(&format!("g={}\n{script}", self.name))
    }

    fn fails(&self, script: &str) -> (i32, String) {
        let out = self.sh(script);
        let said = String::from_utf8(out.stderr).unwrap();
        (out.status.code().unwrap(), said.replace(&self.name, "G"))
    }

    /// The groups with the control files that a limit of ours may touch.
    fn state(&self) -> String {
        self.ok(
            "for d in $(find /sys/fs/cgroup -type d -path \"*/$g*\" | sort); do
                 echo \"$d: $(wc -l <$d/cgroup.procs)\"; cd $d
                 for f in memory.limit_in_bytes memory.memsw.limit_in_bytes memory.soft_limit_in_bytes memory.max \
                     memory.swap.max memory.low cpu.cfs_period_us cpu.cfs_quota_us cpu.shares cpu.max cpu.weight \
                     cpuset.cpus cpuset.mems pids.max cgroup.subtree_control; do
                     [ ! -e $f ] || echo \"$f $(cat $f)\"
                 done
             done",
        )
    }

    fn clear(&self) {
        self.ok(
            "for f in $(find /sys/fs/cgroup -path \"*/$g*/freezer.state\"); do echo THAWED >$f; done
             for d in $(find /sys/fs/cgroup -depth -type d -path \"*/$g*\"); do
                 while read -r p; do kill -9 $p || :; done <$d/cgroup.procs
                 n=0; until rmdir $d 2>/dev/null; do [ $((n += 1)) -lt 100 ]; sleep 0.02; done
             done",
        );
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        self.clear();
    }
}

#[test]
fn a_dry_run_changes_nothing_and_replayed_leaves_the_same() {
    let groups = Groups::new("replay");
    let all = "-m 64m --memory-swap 96m --memory-reservation 32m --cpus 0.5 -c 512 --cpuset-cpus 0 --cpuset-mems 0 --pids-limit 20";
    let busy = "rcgroup exec $g/below -- sleep 1000 >/dev/null 2>&1 &";
    let busy = format!("{busy} {}", kit_test::ASLEEP);
    for (before, verb) in [
        ("true".to_owned(), "create $g".to_owned()),
        ("true".to_owned(), format!("create {all} $g")),
        // Its total of memory and swap follows from the memory alone.
        ("true".to_owned(), "create $g -m 64m".to_owned()),
        (
            String::new(),
            "create $g/below/leaf --pids-limit 7 --cpuset-cpus 0".to_owned(),
        ),
        (
            format!("rcgroup create {all} $g"),
            "set $g -m 32m --cpus 1.5 --pids-limit 5".to_owned(),
        ),
        // The group has no cpuset yet, and somebody in it.
        (
            format!("rcgroup create $g/below; {busy}"),
            "set $g/below --cpuset-cpus 0".to_owned(),
        ),
        (
            format!("rcgroup create {all} $g"),
            "set $g -m 128m --memory-swap -1".to_owned(),
        ),
        (
            format!("rcgroup create {all} $g"),
            "set $g --memory-swap 128m".to_owned(),
        ),
        (
            format!("rcgroup create {all} $g"),
            "set $g -m -1 --memory-swap -1 --memory-reservation -1 --cpus -1 --pids-limit -1"
                .to_owned(),
        ),
        ("rcgroup create $g".to_owned(), "del $g".to_owned()),
        (
            format!("rcgroup create $g/below; {busy}"),
            "del --force $g".to_owned(),
        ),
        (
            format!("rcgroup create $g/below; {busy}; {FREEZE}"),
            "del --force $g".to_owned(),
        ),
    ] {
        let run = |act: &str| {
            groups.ok(&format!("{{ :; {before}\n}} >/dev/null; {act}"));
            let state = groups.state();
            groups.clear();
            state
        };
        let untouched = run("");
        let (name, rest) = verb.split_once(' ').unwrap();
        let dry = format!("rcgroup {name} --dry-run {rest}");
        assert_eq!(run(&format!("{dry} >/dev/null")), untouched, "{verb}");
        let ours = run(&format!("rcgroup {verb} >/dev/null"));
        assert_ne!(ours, untouched, "{verb} does nothing");
        let replayed = run(&format!("{dry} >script; dash script"));
        assert_eq!(ours, replayed, "{verb}");
    }
}

/// Whatever the kernel calls it.
const FREEZE: &str =
    "for f in $(find /sys/fs/cgroup -path \"*/$g/freezer.state\"); do echo FROZEN >$f; done
    for f in $(find /sys/fs/cgroup -path \"*/$g/cgroup.freeze\"); do echo 1 >$f; done";

#[test]
fn the_frozen_are_ended_too() {
    let groups = Groups::new("frozen");
    let before = format!(
        "rcgroup create $g/below; rcgroup exec $g/below -- sleep 1000 >/dev/null 2>&1 & {}; {FREEZE}",
        kit_test::ASLEEP
    );
    groups.ok(&before);
    groups.ok("timeout 4 rcgroup del --force $g");
    assert_eq!(groups.state(), "");
}

#[test]
fn a_limit_is_lifted() {
    let groups = Groups::new("lift");
    groups.ok("rcgroup create $g");
    let free = groups.state();
    groups.ok("rcgroup set $g -m 64m --memory-reservation 32m --cpus 0.5 --pids-limit 20");
    assert_ne!(groups.state(), free);
    groups.ok("rcgroup set $g -m -1 --memory-reservation -1 --cpus -1 --pids-limit -1");
    assert_eq!(groups.state(), free);
}

#[test]
fn a_file_of_the_other_version_of_cgroups_is_named_by_its_name_here() {
    let groups = Groups::new("get");
    groups.ok("rcgroup create $g -m 64m");
    let absent = "for f in memory.max memory.limit_in_bytes; do \
        rcgroup get $g $f >/dev/null 2>&1 || { rcgroup get $g $f; break; }; done";
    let (_, said) = groups.fails(absent);
    let hint = said.lines().nth(1).unwrap();
    let command = hint.rsplit(": ").next().unwrap().replace('G', &groups.name);
    assert_eq!(groups.ok(&command), "67108864\n", "{said}");
    let (_, said) = groups.fails("rcgroup get $g pids.maxx");
    assert!(
        said.ends_with("hint: did you mean \"pids.max\"?\n"),
        "{said}"
    );
    assert_eq!(groups.ok("rcgroup get $g cgroup.procs"), "");
}

#[test]
fn a_change_of_memory_keeps_the_limit_of_swap() {
    let groups = Groups::new("swap");
    let swap = "cat $(find /sys/fs/cgroup -path \"*/$g/memory.memsw.limit_in_bytes\" \
        -o -path \"*/$g/memory.swap.max\")";
    let before = groups.ok(&format!(
        "rcgroup create $g -m 64m --memory-swap 256m >/dev/null; {swap}"
    ));
    if before.is_empty() {
        return kit_test::skip("a_change_of_memory", "this kernel does not count swap");
    }
    let after = groups.ok(&format!("rcgroup set $g -m 32m; {swap}"));
    assert_eq!(after, before);
    if groups
        .ok("ls -d /sys/fs/cgroup/memory 2>/dev/null || :")
        .is_empty()
    {
        return;
    }
    // v1 counts both together: memory alone does not go beyond.
    let state = groups.state();
    let (code, said) = groups.fails("rcgroup set $g -m 512m");
    assert_eq!(
        (code, said.lines().next().unwrap()),
        (
            1,
            "rcgroup: changing cgroup \"G\": 536870912 bytes of memory is more than its 268435456 of memory and swap together"
        )
    );
    assert_eq!(groups.state(), state);
    let command = said.rsplit(": ").next().unwrap().replace('G', &groups.name);
    groups.ok(&command);
}

#[test]
fn a_zero_is_no_limit() {
    let groups = Groups::new("zero");
    groups.ok("rcgroup create $g");
    let free = groups.state();
    groups.clear();
    groups.ok("rcgroup create $g -m 0 --memory-reservation 0 --cpus 0 --pids-limit 0");
    assert_eq!(groups.state(), free);
    groups.ok("rcgroup set $g -m 64m --cpus 0.5 --pids-limit 20");
    groups.ok("rcgroup set $g -m 0 --cpus 0 --pids-limit -2");
    assert_eq!(groups.state(), free);
}

#[test]
fn a_limit_of_another_controller_takes_those_inside_along() {
    let groups = Groups::new("grow");
    let place = "sed -n 's/^[0-9]*:cpuset:\\|^0:://p' /proc/$p/cgroup | head -1";
    let start = format!(
        "rcgroup create $g; rcgroup exec $g -- sleep 1000 >/dev/null 2>&1 & {}",
        kit_test::ASLEEP
    );
    groups.ok(&format!("{{ :; {start}\n}} >/dev/null"));
    groups.ok("rcgroup set $g --cpuset-cpus 0");
    let place = groups.ok(&format!(
        "p=$(rcgroup list --jsonl | jq -r \"select(.name == \\\"$g\\\").pids[0]\"); {place}"
    ));
    assert_eq!(place.trim_end(), format!("/{}", groups.name));
    let allowed = groups.ok(
        "for p in $(cat $(find /sys/fs/cgroup -path \"*/$g/cgroup.procs\") | sort -u); do \
        grep Cpus_allowed_list /proc/$p/status; done",
    );
    assert_eq!(allowed, "Cpus_allowed_list:\t0\n");
}

#[test]
fn the_map_has_both_versions_side_by_side() {
    let groups = Groups::new("map");
    let shown = groups.ok("rcgroup map -m 64m --cpus 0.5");
    for part in [
        "memory.limit_in_bytes = 67108864",
        "memory.max = 67108864",
        "cpu.max = 50000 100000",
    ] {
        assert!(shown.contains(part), "{shown}");
    }
    let all =
        "rcgroup map -m 64m --jsonl | jq -c '[.schema, .kind, .name, .v1[0].file, .v2[0].file]'";
    assert_eq!(
        groups.ok(all),
        "[1,\"limit\",\"memory\",\"memory.limit_in_bytes\",\"memory.max\"]\n\
         [1,\"limit\",\"memory_swap\",\"memory.memsw.limit_in_bytes\",\"memory.swap.max\"]\n"
    );
    let traced = groups.ok(
        "rcgroup create --trace $g 2>&1 >/dev/null | jq -r '\"\\(.schema) \\(.kind)\"' | sort -u",
    );
    assert_eq!(traced, "1 step\n");
}

/// What the kernel's files say, in the words of the flags.
#[test]
fn one_is_shown_with_its_limits_and_its_use() {
    let groups = Groups::new("show");
    groups.ok("rcgroup create $g -m 64m --memory-reservation 32m --cpus 0.5 -c 512 --cpuset-cpus 0 --cpuset-mems 0 --pids-limit 20 >/dev/null");
    groups.ok(&format!(
        "rcgroup exec $g -- sleep 1000 >/dev/null 2>&1 & {}",
        kit_test::ASLEEP
    ));
    let fields = ".[0] | [.kind, .schema, .memory_limit_bytes, .memory_reservation_bytes, .nano_cpus, .cpu_shares, .cpuset_cpus, .cpuset_mems, .pids_limit, .pids_current, .name]";
    let shown = groups.ok(&format!("rcgroup show --json $g | jq -c '{fields}'"));
    let wanted = format!(
        "[\"cgroup\",1,67108864,33554432,500000000,512,\"0\",\"0\",20,1,\"{}\"]\n",
        groups.name
    );
    assert_eq!(shown, wanted);
    let table = groups.ok("rcgroup inspect $g");
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows[0], ["LIMIT", "VALUE", "USED"]);
    assert_eq!(rows[1][..2], ["memory", "67108864"]);
    assert!(rows[1][2].parse::<u64>().unwrap() > 0, "{table}");
    assert_eq!(rows[8], ["pids-limit", "20", "1"]);
    assert_eq!(rows[4][..2], ["cpus", "0.5"]);
    groups.ok("rcgroup set $g --pids-limit -1 --cpus -1 >/dev/null");
    let table =
        groups.ok("rcgroup show $g | grep -E '^(cpus|pids-limit) ' | tr -s ' ' | cut -d' ' -f-2");
    assert_eq!(table, "cpus none\npids-limit none\n");
    assert_eq!(
        groups.ok("rcgroup show -q $g"),
        format!("{}\n", groups.name)
    );
    let (code, said) = groups.fails("rcgroup show $g/no");
    assert_eq!(
        (code, said.lines().next().unwrap()),
        (1, "rcgroup: finding cgroup \"G/no\": no such cgroup")
    );
    assert_eq!(groups.fails("rcgroup show").0, 2);
}

#[test]
fn familiar_words_are_verbs_too() {
    let groups = Groups::new("words");
    groups.ok("rcgroup add $g; rcgroup update $g --pids-limit 5; rcgroup ls -q | grep -qx $g; rcgroup rm $g");
    assert_eq!(groups.state(), "");
}

#[test]
fn a_list_of_cpus_is_one_however_it_is_written() {
    if std::fs::read_to_string("/sys/devices/system/cpu/online").unwrap() == "0\n" {
        return kit_test::skip("a_list_of_cpus", "this machine has one CPU");
    }
    let groups = Groups::new("list");
    let kept = "cat $(find /sys/fs/cgroup -path \"*/$g/cpuset.cpus\")";
    let made = "rcgroup create $g --cpuset-cpus 0,1 >/dev/null";
    assert_eq!(groups.ok(&format!("{made}; {kept}")), "0-1\n");
    let set = "rcgroup set $g --cpuset-cpus 1; rcgroup set $g --cpuset-cpus 1,0-1";
    assert_eq!(groups.ok(&format!("{set}; {kept}")), "0-1\n");
}

#[test]
fn a_change_that_fails_leaves_each_limit_as_it_was() {
    let groups = Groups::new("asitwas");
    groups.ok("rcgroup create $g -m 64m --memory-swap 64m --cpu-shares 512 --cpuset-cpus 0");
    let before = groups.state();
    // Memory is raised above the old total first; of one byte the kernel keeps none.
    for wrong in ["--memory-reservation 1", "--cpuset-cpus 4096"] {
        let (code, said) = groups.fails(&format!(
            "rcgroup set $g -m 128m --memory-swap 256m {wrong}"
        ));
        assert_eq!(code, 1, "{said}");
        assert_eq!(groups.state(), before, "{wrong}: {said}");
    }
}
