//! Many groups at once: from a pipe, and as a table of what they use.

use super::Groups;

#[test]
fn what_is_made_goes_by_a_pipe() {
    let groups = Groups::new("pipe");
    groups.ok("rcgroup create $g -m 64m >/dev/null");
    let state = groups.state();
    groups.ok("rcgroup create $g/a \"$g/b c\" | rcgroup del -");
    assert_eq!(groups.state(), state);
}

/// One process, one watch for signals, one journal; what only takes away has none.
#[test]
fn a_pipe_of_many_groups_is_one_verb() {
    let groups = Groups::new("many");
    let counted = |verb: &str| {
        let command = format!("rcgroup {verb} <names >&2");
        kit_test::counted(&command, &["signalfd4", "rename"])
    };
    let (create, del) = (counted("create - -m 64m --pids-limit 9"), counted("del -"));
    let counts = groups.ok(&format!(
        "rcgroup create $g >/dev/null; seq 30 | sed \"s,^,$g/,\" >names; {create}; rcgroup list -q $g | wc -l; {del}; rcgroup list -q $g | wc -l"
    ));
    assert_eq!(counts.replace('\n', " "), "1 1 1 30 1 1 0 0 ");
}

/// Only by name is it known whose a group is: `$g.slice` is called as systemd calls its own.
#[test]
fn a_list_spares_what_others_made_unless_told() {
    let groups = Groups::new("owner");
    let list = "printf '%s\\n' $g $g.slice/in $g.slice";
    let made = "rcgroup create $g $g.slice/in >/dev/null";
    groups.ok(made);
    let state = groups.state();
    let (code, said) = groups.fails(&format!("{list} | rcgroup del -"));
    assert_eq!(
        (code, said.as_str()),
        (
            2,
            "rcgroup: deleting cgroup \"G.slice/in\" from a list: it is systemd's\n\
             hint: leave it out of the list, or --all-owners deletes what others made too\n"
        )
    );
    assert_eq!(groups.state(), state, "nothing is deleted");
    groups.ok(&format!("{list} | rcgroup del --all-owners -"));
    assert_eq!(groups.state(), "");
    // Whoever types a name means it.
    groups.ok(&format!("{made}; rcgroup del $g.slice/in $g.slice $g"));
    assert_eq!(groups.state(), "");
}

#[test]
fn what_a_group_without_limits_uses_is_told() {
    let groups = Groups::new("stats");
    groups.ok("rcgroup create $g >/dev/null");
    groups.ok(&format!(
        "rcgroup exec $g -- sleep 1000 >/dev/null 2>&1 & {}",
        kit_test::ASLEEP
    ));
    let table = groups.ok("rcgroup stats $g");
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let [head, cells] = &rows[..] else {
        panic!("{table}");
    };
    assert_eq!(
        head[..],
        [
            "NAME",
            "MEMORY",
            "LIMIT",
            "PEAK",
            "CPU_USEC",
            "PIDS",
            "OOM_KILLS"
        ]
    );
    let [name, memory, limit, peak, cpu, pids, kills] = cells[..] else {
        panic!("{table}");
    };
    assert_eq!((name, limit), (groups.name.as_str(), "none"));
    assert_eq!((pids, kills), ("1", "0"));
    for used in [memory, peak, cpu] {
        assert!(used.parse::<u64>().unwrap() > 0, "{table}");
    }
    let fields = "[.memory_limit_bytes, .pids_limit, .pids_current, .oom_kills]";
    assert_eq!(
        groups.ok(&format!("rcgroup stats --jsonl $g | jq -c '{fields}'")),
        "[null,null,1,0]\n"
    );
}
