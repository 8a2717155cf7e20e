//! What is said of docker's verbs and flags that are not there: each command of a hint is run.

use kit_test::Host;
use rrun::cli::{FLAGS_MISSING, OF_STOPPED, OF_VALUE, OURS, Ours, PLACES, VERBS_ELSEWHERE, Way};

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
pub fn host() -> Host {
    let host = Host::new();
    host.ok("runpack save -o tools.tar tools; skopeo copy -q docker-archive:tools.tar oci:lay:tools
        echo data >file; echo key=value >labels; mkdir dir;
        rrun run -d --name web --net none -m 256m -v vol:/data tools sh -c 'echo said; touch /new; exec sleep 1000'
        rrun run --name old --net none tools touch /new");
    host.until("rrun exec web ls /new");
    host
}

/// Of the machine's: cgroups and namespaces with a name are all tests'.
pub fn name(nth: usize) -> String {
    format!("new{}x{nth}", std::process::id())
}

/// Commands of a way, what it leaves open filled in.
fn filled(sh: &str, way: &Way, container: &str, nth: usize) -> String {
    let mut sh = sh.to_owned();
    for (from, to) in STAND_INS {
        sh = sh.replace(from, to);
    }
    if sh == "rnetns del {NETNS}" && way.word == "network rm" {
        sh = format!("rnetns add {{NETNS}} && {sh}");
    }
    let name = name(nth);
    let netns = format!("n{name}");
    let dir = format!("dir{nth}");
    let is_labels = way.word == "--label-file";
    for (place, value) in [
        (
            "docker-archive:/dev/stdout:{IMAGE}",
            "docker-archive:/dev/stdout:new",
        ),
        ("{VALUE}", way.example),
        ("{VERB}", "run"),
        ("{C}", container),
        ("{WORDS}", "tools"),
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
    // It ends with its container alone.
    sh.replace("while sleep 1; do", "for once in 1; do")
}

/// What the user of the hints has, under names that archives often have.
const OF_USER: &str =
    "for file in image.tar web.tar old.tar box-image.tar box-web.tar; do echo mine >$file; done";

/// Does what a way says, and takes away what it made, as it says too.
fn done(host: &Host, way: &Way, container: &str, nth: usize) {
    let sh = filled(way.sh, way, container, nth);
    // Of `network connect` it is the way of `network disconnect`, which comes later.
    let undo = if way.word == "network connect" {
        ""
    } else {
        way.undo
    };
    let undo = if way.word == "umount" {
        "rm -r {DIR}"
    } else {
        undo
    };
    let undo = filled(undo, way, container, nth);
    let name = name(nth);
    // What is the machine's goes, whatever fails.
    let end = format!("rnetns del --force n{name}; rcgroup del --force {name}/{name} {name}");
    let left =
        format!("ls -d dir{nth} box-hosts box-resolv.conf /run/netns/n{name} 2>/dev/null || :");
    let (code, out, said) = host.outcome(&format!(
        "set -e; rm -f box-image.tar; trap '{end} >/dev/null 2>&1' EXIT; {sh}\n{undo}\n{{ {left}; }} >left"
    ));
    assert_eq!(code, 0, "{}: {sh}: {out}{said}", way.word);
    assert_eq!(host.ok("cat left"), "", "{}", way.word);
    // The kernel takes a namespace's links away by and by.
    host.until("! ip link show veth9 2>/dev/null");
}

#[test]
fn each_verb_elsewhere_is_done_as_its_hint_says() {
    let host = host();
    let ways = VERBS_ELSEWHERE.iter().map(|way| (way, "web"));
    let stopped = OF_STOPPED.iter().map(|way| (way, "old"));
    for (nth, (way, container)) in stopped.chain(ways).enumerate() {
        // One of its own, since it waits for the end or brings it.
        let container = match way.word {
            "events" | "down" => {
                host.ok(&format!(
                    "rrun run -d --name {} --net none tools id",
                    way.word
                ));
                way.word
            }
            "umount" => {
                host.ok(&format!(
                    "rrun create --name umount tools id; rrun bundle umount dir{nth}"
                ));
                "umount"
            }
            _ => container,
        };
        done(&host, way, container, nth);
        let name = name(nth);
        let wanted = match way.word {
            "commit" => format!("rrun run --rm --net none {name} ls /new"),
            "export" => format!("tar -tf box-{container}.tar ./new"),
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
    let of_value = OF_VALUE.iter().map(|(row, _)| (row, true));
    let rows = FLAGS_MISSING.iter().map(|row| (row, false)).chain(of_value);
    for (nth, (row, is_of_value)) in rows.enumerate() {
        let way = &row.way;
        for verb in row.verbs.iter().filter(|_| !is_of_value) {
            let help = host.ok(&format!("rrun {verb} --help"));
            for flag in row.flags {
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
                assert_eq!((code, out), (usage, String::new()));
                let line = format!("rrun: {error}\nhint: {}", way.note);
                assert!(said.starts_with(&line), "{said}");
            }
        }
        if way.sh.is_empty() {
            continue;
        }
        // What is started ends by itself.
        let container = if way.word == "--attach" { "old" } else { "web" };
        done(&host, way, container, nth);
    }
}

/// A way that writes an archive takes no name that the user's own file has.
#[test]
fn no_way_writes_over_an_archive_of_the_user() {
    let host = host();
    host.ok(OF_USER);
    for (way, container) in VERBS_ELSEWHERE
        .iter()
        .map(|way| (way, "web"))
        .chain(OF_STOPPED.iter().map(|way| (way, "old")))
        .filter(|(way, _)| way.sh.contains("tar"))
    {
        host.outcome(&filled(way.sh, way, container, 200));
        let kept = "cat image.tar web.tar old.tar box-image.tar box-web.tar | grep -cx mine";
        assert_eq!(host.ok(kept), "5\n", "{}", way.word);
    }
}
