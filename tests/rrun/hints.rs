//! F40: what is said of docker's verbs and flags that are not there. Each command of a hint is run.

use kit_test::Host;
use rrun::cli::{FLAGS_MISSING, OF_STOPPED, OURS, Ours, PLACES, VERBS_ELSEWHERE, Way};

/// Ways that need another machine or a registry: what stands for those is run.
const STAND_INS: [(&str, &str); 8] = [
    (
        "rnetns del {NETNS}",
        "rnetns add {NETNS} && rnetns del {NETNS}",
    ),
    // What the image of the tests has.
    ("{IMAGE} true", "{IMAGE} id"),
    ("docker://{IMAGE}", "oci:lay:tools"),
    (
        "skopeo list-tags oci:lay:tools",
        "skopeo list-tags docker-archive:tools.tar",
    ),
    ("skopeo login {REGISTRY}", "skopeo login --help >help"),
    ("skopeo logout {REGISTRY}", "skopeo logout --help >help"),
    ("ssh {HOST} rrun", "rrun"),
    // It ends when the container does.
    ("rrun logs -f {C}", "rrun logs {C}"),
];

/// A host with all that a way speaks of: a running container `web` and a stopped one `old`.
fn host() -> Host {
    let host = Host::new();
    host.ok("runpack save -o tools.tar tools; skopeo copy -q docker-archive:tools.tar oci:lay:tools
        echo data >file; echo key=value >labels; mkdir dir;
        rrun run -d --name web --net none -m 256m -v vol:/data tools sh -c 'echo said; touch /new; exec sleep 1000'
        rrun run --name old --net none tools touch /new");
    host.until("rrun exec web ls /new");
    host
}

/// Of the machine's: cgroups and namespaces with a name are all tests'.
fn name(nth: usize) -> String {
    format!("new{}x{nth}", std::process::id())
}

/// The commands of a way, what it leaves open filled in.
fn filled(way: &Way, container: &str, nth: usize) -> String {
    let mut sh = way.sh.to_owned();
    for (from, to) in STAND_INS {
        sh = sh.replace(from, to);
    }
    let name = name(nth);
    let netns = format!("n{name}");
    let dir = format!("dir{nth}");
    let is_labels = way.word == "--label-file";
    for (place, value) in [
        (
            "docker-archive:image.tar:{IMAGE}",
            "docker-archive:image.tar:new",
        ),
        ("{C}", container),
        ("{IMAGE}", "tools"),
        ("{NAME}", &name),
        ("{PROGRAM}", "id"),
        ("{COMMAND}", "id"),
        ("{NETNS}", &netns),
        ("{FILE}", if is_labels { "labels" } else { "file" }),
        ("{PATH}", "/new"),
        (
            "{DIR}",
            if way.word == "--volume-driver" {
                "dir"
            } else {
                &dir
            },
        ),
        ("{ID}", &name),
    ] {
        sh = sh.replace(place, value);
    }
    assert!(!PLACES.iter().any(|place| sh.contains(place)), "{sh}");
    // What it made outside of the host's roots goes.
    format!(
        "set -e; rm -f image.tar; trap 'rnetns del --force {netns} 2>/dev/null; rcgroup del --force {name} 2>/dev/null || :' EXIT; {sh}"
    )
}

#[test]
fn each_verb_elsewhere_is_done_as_its_hint_says() {
    let host = host();
    let ways = VERBS_ELSEWHERE.iter().map(|way| (way, "web"));
    let stopped = OF_STOPPED.iter().map(|way| (way, "old"));
    for (nth, (way, container)) in stopped.chain(ways).enumerate() {
        // One of its own, since it waits for the end.
        let container = if way.word == "events" {
            host.ok("rrun run -d --name short --net none tools id");
            "short"
        } else {
            container
        };
        let sh = filled(way, container, nth);
        let (code, out, said) = host.outcome(&sh);
        assert_eq!(code, 0, "{}: {sh}: {out}{said}", way.word);
        let name = name(nth);
        let wanted = match way.word {
            "commit" => format!("rrun run --rm --net none {name} ls /new"),
            "export" => format!("tar -tf {container}.tar ./new"),
            "pull" => "rrun images -q new | grep .".to_owned(),
            "build" | "buildx" => format!("rrun run --rm --net none {name} id"),
            "unpause" => "rrun exec web id".to_owned(),
            "update" => "rrun exec web id; [ $(($(rcgroup get \"$(rrun info -f '{{.Instance}}')/$(rrun inspect -f '{{.Id}}' web)\" memory.max 2>/dev/null || echo 536870912))) = 536870912 ]".to_owned(),
            "volume create" => format!("rrun volume ls -q | grep -x {name}"),
            _ => continue,
        };
        host.ok(&wanted);
    }
}

#[test]
fn each_flag_that_is_missing_has_a_hint_that_works() {
    let host = host();
    for (nth, (verbs, flags, way)) in FLAGS_MISSING.iter().enumerate() {
        for verb in *verbs {
            let help = host.ok(&format!("rrun {verb} --help"));
            for flag in *flags {
                let is_flag = |word: &str| word.trim_matches(',') == *flag;
                assert!(!help.split_whitespace().any(is_flag), "{verb} has {flag}");
                let makes = matches!(*verb, "run" | "create");
                let ours = OURS.iter().find(|row| {
                    makes
                        && (*flag == format!("--{}", row.flag) || row.short == flag.chars().nth(1))
                });
                let (value, error) = match ours {
                    Some(row) => match row.ours {
                        Ours::Switch(on) => (format!("={}", !on), row.refusal(verb)),
                        _ => (" x".to_owned(), row.refusal(verb)),
                    },
                    None => (" x".to_owned(), format!("rrun {verb} has no flag {flag}")),
                };
                let (code, out, said) = host.outcome(&format!("rrun {verb} {flag}{value} tools"));
                let usage = if *verb == "run" { 125 } else { 2 };
                let hint = way.hint(&[]);
                let line = format!("rrun: {error}\nhint: {hint}\n");
                assert_eq!((code, out, said), (usage, String::new(), line));
            }
        }
        if way.sh.is_empty() {
            continue;
        }
        // What is started ends by itself.
        let container = if way.word == "--attach" { "old" } else { "web" };
        let sh = filled(way, container, nth);
        let (code, out, said) = host.outcome(&sh);
        assert_eq!(code, 0, "{}: {sh}: {out}{said}", way.word);
    }
}

/// Scripts of tutorials give docker's flags at the value that every container here has.
#[test]
fn dockers_flags_are_taken_at_the_value_that_is_ours() {
    let host = Host::new();
    let arch = host.ok("uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/'");
    let arch = arch.trim();
    let mut flags: Vec<String> = Vec::new();
    for row in OURS {
        let flag = row.flag;
        match row.ours {
            Ours::Words(words) => flags.extend(words.iter().map(|word| format!("--{flag} {word}"))),
            Ours::Bytes(bytes) => flags.extend([
                format!("--{flag} {bytes}"),
                format!("--{flag} {}k", bytes >> 10),
            ]),
            Ours::Switch(on) => {
                flags.push(format!("--{flag}={on}"));
                if on {
                    flags.push(format!("--{flag}"));
                }
                continue;
            }
        }
        flags.push(format!("--{flag} ''"));
    }
    flags.extend(
        [
            "apparmor=unconfined",
            "label=disable",
            "seccomp=builtin",
            "writable-cgroups=false",
        ]
        .map(|option| format!("--security-opt {option}")),
    );
    flags.extend([
        format!("--platform linux/{arch}"),
        "--platform linux".to_owned(),
        "-q".to_owned(),
    ]);
    // All of them at once do what none does.
    let all = flags.join(" ");
    let line = "sh -c 'grep -E \"^(Seccomp|CapEff|NoNewPrivs)\" /proc/self/status'";
    let plain = host.ok(&format!("rrun run --rm --net none tools {line}"));
    assert_eq!(
        host.ok(&format!("rrun run --rm --net none {all} tools {line}")),
        plain
    );
    for flag in &flags {
        host.ok(&format!("rrun create {flag} tools id"));
    }
    let (code, _, said) = host.outcome("rrun run --restart always tools id");
    let wanted = "rrun: rrun run takes \"--restart no\" only\nhint: until it ends with 0: until rrun run --rm IMAGE; do sleep 1; done\n";
    assert_eq!((code, said.as_str()), (125, wanted));
    let (code, _, said) = host.outcome("rrun run --platform linux/s390x tools id");
    assert_eq!(code, 125, "{said}");
    let error =
        format!("rrun: running image \"tools\": it is for linux/{arch}, and not for linux/s390x\n");
    assert!(said.starts_with(&error), "{said}");
    // A flag of the program's is none of ours.
    assert_eq!(
        host.ok("rrun run --rm --net none tools sh -c 'echo $0' --restart"),
        "--restart\n"
    );
}

#[test]
fn a_guess_is_near_or_none() {
    let host = Host::bare();
    for (typed, hint) in [
        (
            "run --volums x",
            "did you mean \"--volume\"? See rrun run --help",
        ),
        (
            "run --detatch x",
            "did you mean \"--detach\"? See rrun run --help",
        ),
        ("ps --al", "did you mean \"--all\"? See rrun ps --help"),
        ("ps --frobnicate", "see rrun ps --help"),
        ("run --dev x", "see rrun run --help"),
        ("reach", "see rrun --help"),
        ("volume lss", "did you mean \"ls\"? See rrun volume --help"),
        ("volume ls --frobnicate", "see rrun volume ls --help"),
        ("destory x", "did you mean \"rm\"? See rrun --help"),
        (
            "run --working-dir /x tools",
            "did you mean \"--workdir\"? See rrun run --help",
        ),
        ("kill -9 web", "rrun kill -s 9 web"),
        (
            "-D ps",
            "each step is told by a flag of the verb: rrun run --explain IMAGE",
        ),
    ] {
        let (_, _, said) = host.outcome(&format!("rrun {typed}"));
        assert_eq!(
            said.lines().nth(1),
            Some(format!("hint: {hint}").as_str()),
            "{typed}"
        );
    }
}

/// What was typed is in the hint, so that it can be pasted.
#[test]
fn a_hint_names_the_container_that_was_typed() {
    let host = Host::new();
    host.ok("rrun create --name 'old' --net none tools id");
    let (_, _, said) = host.outcome("rrun export -o x.tar old");
    let hint = "hint: rrun bundle old DIR && tar -C DIR/rootfs -c . >old.tar; rrun bundle --umount old DIR\n";
    assert_eq!(said, format!("rrun: rrun has no verb \"export\"\n{hint}"));
    let (_, _, said) = host.outcome("rrun pull busybox:1.36");
    let hint = "hint: rm -f image.tar && skopeo copy docker://busybox:1.36 docker-archive:image.tar:busybox:1.36 && rrun load -i image.tar\n";
    assert_eq!(said, format!("rrun: rrun has no verb \"pull\"\n{hint}"));
}

/// Each is the commonest slip of its kind.
#[test]
fn a_hint_of_another_tools_verb_names_what_was_typed() {
    let host = Host::bare();
    for (typed, hint) in [
        (
            "rrun volume create v1",
            "a volume is made by its first use: rrun run --rm -v v1:/data IMAGE true",
        ),
        ("rrun network rm mine", "rnetns del mine"),
        (
            "rrun pause web",
            "pgrep --ns $(rrun inspect -f '{{.State.Pid}}' web) --nslist pid | xargs kill -STOP",
        ),
        (
            "runpack search localhost:5000/bb",
            "skopeo list-tags --tls-verify=false docker://localhost:5000/bb",
        ),
        (
            "runpack pull alpine",
            "rm -f image.tar && skopeo copy docker://alpine docker-archive:image.tar:alpine && runpack load image.tar",
        ),
        ("rnetns pids blue", "ip netns pids blue"),
    ] {
        let (code, _, said) = host.outcome(typed);
        assert_ne!(code, 0, "{typed}");
        let line = format!("hint: {hint}");
        assert_eq!(said.lines().nth(1), Some(line.as_str()), "{typed}");
    }
}

/// docker keeps it read-only too.
#[test]
fn the_hint_of_volumes_from_keeps_a_read_only_mount_read_only() {
    let host = Host::new();
    host.ok("mkdir dir; rrun run -d --name from --net none -v $PWD/dir:/d:ro -v kept:/k tools sleep 1000");
    let (_, _, said) = host.outcome("rrun run --volumes-from from tools");
    let hint = said.lines().nth(1).unwrap().strip_prefix("hint: ").unwrap();
    let sh = hint
        .replace(" C)", " from)")
        .replace("IMAGE", "tools touch");
    for (file, code) in [("/d/new", 1), ("/k/new", 0)] {
        assert_eq!(host.code(&format!("{sh} {file}")), code, "{sh} {file}");
    }
    assert_eq!(host.ok("ls dir"), "");
}

/// As docker's: each switch takes Go's words for yes and no; a group has a help of its own.
#[test]
fn switches_take_values_in_every_verb_and_a_group_has_its_help() {
    let host = Host::new();
    let ids = host.ok("rrun images -q");
    assert_eq!(host.ok("rrun images --quiet=true --no-trunc=0"), ids);
    host.ok("rrun volume prune --force=True; rrun run --rm=t --net none tools id");
    assert_eq!(host.ok("rrun ps -aq"), "");
    host.ok("rrun create --name one tools id; rrun container remove one");
    let help = host.ok("rrun image --help");
    assert!(help.contains("\n  ls         List images\n"), "{help}");
    assert!(!help.contains("exec"), "{help}");
    let help = host.ok("rrun container --help");
    assert!(
        help.contains("\n  exec       ") && !help.contains("\n  rmi "),
        "{help}"
    );
    assert_eq!(
        host.ok("rrun help volume ls"),
        host.ok("rrun volume ls --help")
    );
    assert_eq!(host.ok("rrun -v"), host.ok("rrun --version"));
    let line = "rrun run --rm --net none -v vol:/v tools id >/dev/null; rrun volume ls --format '{{.Name | printf \"%-5s|\"}}{{slice .Driver 0 3}}'";
    assert_eq!(host.ok(line), "vol  |loc\n");
    let (_, _, said) = host.outcome("rrun run tools --rm id");
    assert!(
        said.contains("hint: flags of rrun stand before IMAGE"),
        "{said}"
    );
}
