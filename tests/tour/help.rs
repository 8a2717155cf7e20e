//! Each verb's `--help`: it says what the verb does, and its examples work as they are typed, in an order in which one needs what
//! another made.

use kit_test::Host;
use nix::sched::{CloneFlags, unshare};

/// A tool, what its examples need, and its verbs in an order that works.
struct Tool {
    name: &'static str,
    before: &'static str,
    order: &'static [&'static str],
}

const TOOLS: [Tool; 7] = [
    Tool {
        name: "rnetns",
        before: "",
        order: &["add", "exec", "list", "show", "del"],
    },
    Tool {
        name: "rveth",
        before: "rnetns add blue green",
        order: &["add", "list", "set", "del"],
    },
    Tool {
        name: "rbridge",
        before: "ip link add veth0 type veth peer name veth1",
        order: &[
            "add",
            "attach",
            "set",
            "list",
            "show",
            "nat",
            "publish",
            "unpublish",
            "detach",
            "default",
            "repair",
            "del",
        ],
    },
    Tool {
        name: "rcgroup",
        before: "rcgroup create db",
        order: &["create", "list", "show", "set", "get", "exec", "stats", "map", "del"],
    },
    Tool {
        name: "rmount",
        before: "mkdir app base up wk root pages",
        order: &["overlay", "diff", "bind", "tmpfs", "list", "umount"],
    },
    Tool {
        name: "runpack",
        before: "runpack pack -t alpine --bin sh ls cat; runpack save -o alpine.tar alpine; zstd -q alpine.tar
            mkdir files site; cp /bin/true server; tar -C files -czf root.tar.gz .; tar -C files -cf debian.tar .",
        order: &[
            "load", "import", "pack", "unpack", "save", "images", "inspect", "history", "tag",
            "rmi", "gc",
        ],
    },
    Tool {
        name: "rrun",
        before: "runpack pack -t tools --bin sh ls cat sleep id",
        order: &[
            "run", "create", "start", "ps", "logs", "exec", "top", "attach", "inspect", "port", "restart",
            "kill", "stop", "wait", "rename", "bundle", "rm", "volume", "volume ls", "volume rm", "volume prune", "image", "container", "gc", "info", "version",
            "doctor",
        ],
    },
];

/// What is typed another way here, and why.
const OTHERWISE: [(&str, &str); 13] = [
    // They take a person.
    (
        "rrun run -it",
        "echo exit | script -qec 'rrun run -it --rm tools sh' /dev/null",
    ),
    (
        "rrun exec -it",
        "echo exit | script -qec 'rrun exec -it web sh' /dev/null",
    ),
    (
        "rrun attach",
        "timeout -s INT 1 rrun attach --sig-proxy=false web || [ $? -eq 124 ] || [ $? -eq 1 ]",
    ),
    // Some of what it looks for may be missing on this kernel.
    ("rrun doctor", "rrun doctor || [ $? -eq 1 ]"),
    // `debian` has a whole Debian, from a mirror; skopeo and Python are not on every machine; nor a second host.
    ("debootstrap", "tar -C files -c . | runpack import - debian"),
    ("runpack load oci:", "runpack tag alpine web:1"),
    ("runpack pack -t py", "runpack pack -t py --bin ls"),
    (
        "runpack save alpine web:1 |",
        "runpack save alpine web:1 | runpack load",
    ),
    (
        "runpack unpack --layout=bundle",
        "runpack unpack --layout=bundle alpine b",
    ),
    // A new directory each time.
    (
        "runpack unpack ./alpine.tar root",
        "rm -rf root; runpack unpack ./alpine.tar root",
    ),
    // What was made by the way.
    ("rrun stop web", "rrun start web; rrun stop web"),
    ("rrun kill -s HUP web", "rrun kill -s CONT web"),
    ("runpack tag 0a1b2c3d", "runpack tag alpine web"),
];

/// The lines under "Examples:", without what is said of them.
fn examples(help: &str) -> Vec<&str> {
    let lines = help.lines().skip_while(|line| *line != "Examples:").skip(1);
    let lines = lines.take_while(|line| line.starts_with("  "));
    lines
        .map(|line| line.trim().split("  ").next().unwrap_or_default())
        .collect()
}

/// Arguments and flags without a word about them: the next line is not theirs either.
fn undescribed(help: &str) -> Vec<&str> {
    let lines: Vec<&str> = help
        .lines()
        .take_while(|line| *line != "Examples:")
        .collect();
    let is_alone = |line: &str| {
        let words = line.trim();
        let indent = line.len() - line.trim_start().len();
        let begins = words.starts_with(['-', '<', '[']) && (1..10).contains(&indent);
        begins && !words.contains("  ")
    };
    let below = |at: usize| lines.get(at + 1).copied().unwrap_or_default();
    let at = (0..lines.len()).filter(|at| is_alone(lines[*at]));
    at.filter(|at| !below(*at).starts_with("          "))
        .map(|at| lines[at])
        .collect()
}

/// Each verb in a tool's own help, with what is said of it there, its other names at the end.
pub fn rows(help: &str) -> Vec<(String, String)> {
    let lines = help.lines();
    let table = lines.skip_while(|line| !matches!(*line, "Commands:" | "Verbs:"));
    let mut rows: Vec<(String, String)> = Vec::new();
    for line in table.skip(1).take_while(|line| !line.is_empty()) {
        let words = line.trim_start();
        if line.len() - words.len() == 2 {
            let (verb, text) = words.split_once(' ').unwrap_or((words, ""));
            rows.push((verb.to_owned(), text.trim().to_owned()));
        } else if let Some((_, text)) = rows.last_mut() {
            // The rest of a text that is longer than the line.
            text.push(' ');
            text.push_str(words);
        }
    }
    rows
}

/// What a row says, and the other names of its verb.
pub fn about(text: &str) -> (&str, Vec<&str>) {
    let (about, names) = text.split_once("[alias").unwrap_or((text, ""));
    let names = names.trim_start_matches("es").trim_start_matches(':');
    let names = names.trim_end_matches(']').split(',').map(str::trim);
    (
        about.trim_end(),
        names.filter(|name| !name.is_empty()).collect(),
    )
}

fn verbs(host: &Host, tool: &str) -> Vec<String> {
    let offered = host.ok(&format!("{tool} completions words -- {tool} ''"));
    let names = offered.lines().skip(1).map(|line| line.split('\t').next());
    names.flatten().map(str::to_owned).collect()
}

/// Not verbs: docker's groups of them, and runpack's, whose help is runpack's own.
const ELSEWHERES: [&str; 9] = [
    "image",
    "container",
    "load",
    "import",
    "save",
    "images",
    "tag",
    "rmi",
    "history",
];

/// `list -q` of a whole machine, into a verb that takes away.
#[test]
fn no_example_takes_away_what_it_did_not_make() {
    let host = Host::bare();
    for tool in &TOOLS {
        let name = tool.name;
        let all = verbs(&host, name);
        let pages = all.iter().map(|verb| format!("{name} {verb} --help"));
        for page in pages.chain([format!("{name} --help")]) {
            let help = host.ok(&page);
            let takes_all = |line: &&str| {
                let (listed, taken) = line.split_once(" | ").unwrap_or_default();
                let takes = [" del -", " rm -", " rmi -", " umount -"];
                let is_whole = ["list -q", "ps -aq", "images -q"]
                    .iter()
                    .any(|list| listed.ends_with(list));
                is_whole && takes.iter().any(|verb| taken.contains(verb)) && !taken.contains("grep")
            };
            assert_eq!(examples(&help).into_iter().find(takes_all), None, "{page}");
        }
    }
}

#[test]
fn each_verb_says_what_it_does_and_has_examples() {
    let host = Host::bare();
    for tool in &TOOLS {
        let name = tool.name;
        let mut said = Vec::new();
        let all = verbs(&host, name);
        let listed = rows(&host.ok(&format!("{name} --help")));
        for (verb, text) in &listed {
            assert_ne!(about(text).0, "", "{name} --help says nothing of {verb}");
        }
        let mut listed: Vec<String> = listed.into_iter().map(|(verb, _)| verb).collect();
        listed.sort();
        let mut offered = all.clone();
        offered.sort();
        assert_eq!(listed, offered, "{name} --help, and what is completed");
        for verb in all {
            let elsewhere = name == "rrun" && ELSEWHERES.contains(&verb.as_str());
            let help = host.ok(&format!("{name} {verb} --help"));
            let unsaid = undescribed(&help);
            assert!(unsaid.is_empty(), "{name} {verb}: {unsaid:?}");
            assert!(!examples(&help).is_empty(), "{name} {verb}: {help}");
            assert!(elsewhere || tool.order.contains(&verb.as_str()), "{verb}");
            let first = help.lines().next().unwrap().to_owned();
            assert!(!first.starts_with("Usage:"), "{name} {verb}: {help}");
            assert!(!said.contains(&first), "{name} {verb}: {first}");
            said.push(first);
        }
    }
}

/// Of a tool or of a group of its verbs: a verb, and its other names, those that no help lists among them.
const OTHER_NAMES: [(&str, &str, &[&str]); 28] = [
    ("rnetns", "add", &["create"]),
    ("rnetns", "del", &["delete", "rm", "remove"]),
    ("rnetns", "list", &["ls"]),
    ("rnetns", "show", &["inspect"]),
    ("rveth", "add", &["create"]),
    ("rveth", "del", &["delete", "rm", "remove"]),
    ("rveth", "list", &["ls", "show"]),
    ("rveth", "set", &["change"]),
    ("rbridge", "add", &["create", "addbr"]),
    ("rbridge", "del", &["delete", "rm", "remove", "delbr"]),
    ("rbridge", "list", &["ls"]),
    ("rbridge", "attach", &["connect", "addif"]),
    ("rbridge", "detach", &["disconnect", "delif"]),
    ("rcgroup", "create", &["add", "new"]),
    ("rcgroup", "del", &["delete", "rm", "remove"]),
    ("rcgroup", "list", &["ls"]),
    ("rcgroup", "show", &["inspect"]),
    ("rcgroup", "set", &["update"]),
    ("rmount", "umount", &["unmount", "del", "rm"]),
    ("rmount", "list", &["ls", "show"]),
    ("runpack", "images", &["list", "ls"]),
    ("runpack", "inspect", &["show"]),
    ("runpack", "rmi", &["del", "rm"]),
    (
        "rrun",
        "ps",
        &["container ls", "container list", "container ps"],
    ),
    ("rrun", "images", &["image ls", "image list"]),
    ("rrun", "rmi", &["image rm", "image remove"]),
    ("rrun volume", "ls", &["list"]),
    ("rrun volume", "rm", &["remove"]),
];

#[test]
fn each_other_name_of_a_verb_is_that_verb() {
    let host = Host::bare();
    for (tool, verb, names) in OTHER_NAMES {
        let wanted = host.ok(&format!("{tool} {verb} --help"));
        for name in names {
            let help = host.ok(&format!("{tool} {name} --help"));
            assert_eq!(help, wanted, "{tool} {name}");
        }
    }
    // Those that a help lists are all here.
    let tools = TOOLS.iter().map(|tool| tool.name);
    for tool in tools.chain(["rrun volume"]) {
        for (verb, text) in rows(&host.ok(&format!("{tool} --help"))) {
            let mut of_tool = OTHER_NAMES.iter().filter(|row| row.0 == tool);
            let row = of_tool.find(|row| row.1 == verb);
            let known = row.map(|row| row.2).unwrap_or_default();
            for name in about(&text).1 {
                assert!(known.contains(&name), "{tool} {verb} is {name} too");
            }
        }
    }
}

#[test]
fn the_file_of_load_may_be_named_as_to_docker_and_its_help_says_so() {
    let host = Host::bare();
    for tool in ["runpack", "rrun"] {
        let help = host.ok(&format!("{tool} load --help"));
        let row = help.lines().map(str::trim_start);
        let mut row = row.filter(|line| line.starts_with("-i, --input <SOURCE>"));
        assert!(row.next().is_some(), "{tool}: {help}");
    }
}

#[test]
fn the_examples_of_each_help_work_as_they_are_typed() {
    // Whatever is deleted by its name is this test's own.
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    let host = Host::bare();
    host.ok("mount --make-rprivate /; mkdir -p /run/netns; mount -t tmpfs none /run/netns");
    let mut failed = Vec::new();
    for tool in &TOOLS {
        // Not among the host's own directories, one of which is called root.
        let place = format!("mkdir -p of-{0}; cd of-{0}", tool.name);
        host.ok(&format!("{place}\n{}", tool.before));
        for verb in tool.order {
            let help = host.ok(&format!("{} {verb} --help", tool.name));
            for line in examples(&help) {
                let other = OTHERWISE.iter().find(|(words, _)| line.starts_with(words));
                let line = other.map_or(line, |(_, other)| other);
                let (code, _, said) = host.outcome(&format!("{place}\n{line}"));
                if code != 0 {
                    failed.push(format!("{line}: {code}: {said}"));
                }
            }
        }
    }
    host.ok("rrun gc; ip link del veth0");
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
