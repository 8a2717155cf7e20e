//! What a tired person types.

use super::Groups;

/// Script, exit code, a part of what is said.
const BAD: &[(&str, i32, &str)] = &[
    (
        "rcgroup create $g -m 1x",
        2,
        "reading size \"1x\": the units are b, k, m, g, t and p",
    ),
    ("rcgroup create $g -m -2", 2, "reading size \"-2\""),
    (
        "rcgroup create $g --pids-limit many",
        2,
        "reading number of processes \"many\"",
    ),
    ("rcgroup create ../$g", 2, "../G"),
    ("rcgroup create /", 2, "\"/\""),
    ("rcgroup get /etc hostname", 2, "naming cgroup \"/etc\""),
    (
        "rcgroup set ../cpu --cpus 0.5",
        2,
        "naming cgroup \"../cpu\"",
    ),
    ("rcgroup stats ../cpu", 2, "naming cgroup \"../cpu\""),
    (
        "rcgroup exec ../cpu -- true",
        125,
        "naming cgroup \"../cpu\"",
    ),
    (
        "rcgroup create $g --cpus -1",
        2,
        "reading --cpus \"-1\": a new cgroup has no limit yet",
    ),
    (
        "rcgroup create $g --pids-limit 5000000",
        2,
        "reading number of processes \"5000000\": the kernel counts no more than 4194304",
    ),
    (
        "rcgroup create $g --pids-limit 99999999999999999999",
        2,
        "the kernel counts no more than 4194304",
    ),
    (
        "rcgroup create $g --cpuset-cpus 0 >/dev/null; rcgroup create $g/c --cpuset-cpus 1",
        1,
        "the group above has only 0",
    ),
    (
        "rcgroup create $g/a >/dev/null; rcgroup del $g",
        1,
        "deleting cgroup \"G\": it has 1 cgroup below it",
    ),
    (
        "printf '%s\n' $g docker/x | rcgroup del -",
        2,
        "deleting cgroup \"docker/x\" from a list: it is docker's",
    ),
    (
        "printf '%s\n' $g system.slice/x | rcgroup del -",
        2,
        "deleting cgroup \"system.slice/x\" from a list: it is systemd's",
    ),
    (
        "printf '%s\n' init.scope $g | rcgroup del -",
        2,
        "deleting cgroup \"init.scope\" from a list: it is systemd's",
    ),
    (
        "printf '%s\n' $g kubepods/x | rcgroup del -",
        2,
        "deleting cgroup \"kubepods/x\" from a list: it is Kubernetes's",
    ),
    (
        "printf '%s\n' $g lxc.payload.web | rcgroup del -",
        2,
        "deleting cgroup \"lxc.payload.web\" from a list: it is lxc's",
    ),
    (
        "printf '%s\n' $g boxkit-0a1b2c/x | rcgroup del --force -",
        2,
        "deleting cgroup \"boxkit-0a1b2c/x\" from a list: it is rrun's",
    ),
    ("rcgroup set $g -m 64m", 1, "\"G\""),
    ("rcgroup del $g", 1, "\"G\""),
    ("rcgroup get $g memory.max", 1, "\"G\""),
    ("rcgroup exec $g -- true", 125, "\"G\""),
    (
        "rcgroup create $g >/dev/null; rcgroup set $g",
        2,
        "no limit is given",
    ),
    (
        "rcgroup create $g --cpuset-cpus nonsense",
        2,
        "reading CPUs \"nonsense\": it is a list like 0-2,4",
    ),
    (
        "rcgroup create $g --cpuset-cpus ,",
        2,
        "reading CPUs \",\": it is a list like 0-2,4",
    ),
    (
        "rcgroup create $g --cpuset-cpus ''",
        2,
        "reading CPUs \"\": it names none",
    ),
    (
        "rcgroup create $g >/dev/null; rcgroup set $g --cpuset-mems 0,",
        2,
        "reading memory nodes \"0,\": it is a list like 0-2,4",
    ),
    ("rcgroup create $g --cpuset-mems 700", 1, "cpuset.mems"),
    ("rcgroup create $g -m 1", 1, "memory."),
    (
        "rcgroup create $g -m 200m --memory-swap 100m",
        2,
        "reading memory and swap \"104857600\": the limit of memory alone is larger",
    ),
    (
        "rcgroup create $g -m 32m --memory-swap 64m; rcgroup set $g -m 200m --memory-swap 100m",
        2,
        "memory alone is larger",
    ),
    (
        "rcgroup create $g -m 32m --memory-swap 64m; rcgroup set $g --memory-swap 20m",
        2,
        "memory alone is larger",
    ),
    (
        "rcgroup create $g --memory-swap 100m",
        2,
        "memory has no limit, so memory and swap together cannot have one",
    ),
    ("rcgroup create $g -m 9e18", 2, "reading size \"9e18\""),
    (
        "rcgroup map -c 18446744073709551615",
        2,
        "reading CPU shares \"18446744073709551615\": they are 2 to 262144",
    ),
    (
        "rcgroup create $g >/dev/null; rcgroup set $g --cpuset-cpus 4096",
        1,
        "cpuset",
    ),
    ("rcgroup create $g --cpuset-cpus 4096", 1, "cpuset.cpus"),
    ("rcgroup create $g; rcgroup create $g", 1, "\"G\""),
    (
        "rcgroup create $g >/dev/null; rcgroup exec $g -- nothing-of-that-name",
        127,
        "\"nothing-of-that-name\"",
    ),
    (
        "rcgroup create $g >/dev/null; rcgroup exec $g -- /etc/passwd",
        126,
        "\"/etc/passwd\"",
    ),
    (
        "echo '{\"kind\":\"netns\",\"name\":\"a\"}' | rcgroup del -",
        2,
        "it is a netns, not a cgroup",
    ),
];

#[test]
fn wrong_input_is_one_line_and_leaves_nothing() {
    let groups = Groups::new("bad");
    for &(script, code, line) in BAD {
        let (got, said) = groups.fails(script);
        assert_eq!(got, code, "{script}: {said}");
        let lines: Vec<&str> = said.lines().collect();
        assert!(
            lines[0].starts_with("rcgroup: ") && lines[0].contains(line),
            "{script}: {said}"
        );
        assert!(
            lines.len() <= 2 && lines.iter().skip(1).all(|l| l.starts_with("hint: ")),
            "{said}"
        );
        groups.ok("rcgroup del --force $g");
        assert_eq!(groups.state(), "", "{script}");
    }
}

/// A table's head is no name, and neither is a cgroup made of each of its rows.
#[test]
fn a_table_that_is_piped_into_a_verb_is_refused() {
    let groups = Groups::new("table");
    groups.ok("rcgroup create $g $g/in");
    let before = groups.state();
    for verb in ["create", "del", "stats"] {
        let (code, said) = groups.fails(&format!("rcgroup list $g | rcgroup {verb} -"));
        assert_eq!(code, 2, "{verb}: {said}");
        assert!(
            said.ends_with(
                "is the head of a table, not a name\nhint: rcgroup list -q prints the names alone\n"
            ),
            "{verb}: {said}"
        );
    }
    assert_eq!(groups.state(), before);
}

#[test]
fn a_hint_quotes_a_name_with_a_blank() {
    let groups = Groups::new("blank");
    groups.ok("rcgroup create $g \"$g/a b\"");
    let (_, said) = groups.fails("rcgroup create \"$g/a b\"");
    groups.ok("rcgroup del \"$g/a b\"");
    assert!(
        said.ends_with("hint: rcgroup set 'G/a b' changes it; rcgroup del 'G/a b' removes it\n"),
        "{said}"
    );
}

/// The machine has more CPUs: the hint must lead to the group that has not.
#[test]
fn a_cpu_that_the_group_above_lacks_is_looked_for_there() {
    let groups = Groups::new("above");
    let hint = |script: &str| groups.fails(script).1.lines().last().unwrap().to_owned();
    let above =
        hint("rcgroup create $g --cpuset-cpus 0 >/dev/null; rcgroup create $g/c --cpuset-cpus 1");
    let begins = "hint: the group above bounds it: cat /sys/fs/cgroup/";
    assert!(above.starts_with(begins), "{above}");
    let odd = hint(
        "rcgroup create \"$g/a \\$b\" --cpuset-cpus 0 >/dev/null; rcgroup create \"$g/a \\$b/c\" --cpuset-cpus 1",
    );
    let command = odd
        .strip_prefix("hint: the group above bounds it: ")
        .unwrap();
    let command = command.strip_suffix(" shows its own").unwrap();
    assert_eq!(
        groups.ok(&command.replace('G', &groups.name)),
        "0\n",
        "{odd}"
    );
    let root = hint("rcgroup del --force $g; rcgroup create $g --cpuset-cpus 4096");
    assert!(root.ends_with(" lists those of this machine"), "{root}");
}
