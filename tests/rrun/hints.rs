//! F40: what is said of docker's verbs and flags that are not there. Each command of a hint is run.

use kit_test::Host;
use rrun::cli::{FLAGS_MISSING, OF_STOPPED, PLACES, VERBS_ELSEWHERE, Way};

/// Ways that need another machine or a registry: what stands for those is run.
const STAND_INS: [(&str, &str); 7] = [
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
                let (code, out, said) = host.outcome(&format!("rrun {verb} {flag} x tools"));
                let usage = if *verb == "run" { 125 } else { 2 };
                let hint = way.hint(None, None);
                let line = format!("rrun: rrun {verb} has no flag {flag}\nhint: {hint}\n");
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
    let hint = "hint: skopeo copy docker://busybox:1.36 docker-archive:image.tar:busybox:1.36 && rrun load -i image.tar\n";
    assert_eq!(said, format!("rrun: rrun has no verb \"pull\"\n{hint}"));
}
