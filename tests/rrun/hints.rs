//! Hints: docker's flags at the value that is ours, guesses, and what was typed.

use kit_test::Host;
use rrun::cli::{OURS, Ours};

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
    let wanted = "rrun: rrun run takes \"--restart no\" only\nhint: again each time it ends: while sleep 1; do rrun run --rm tools id; done\n";
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
    let hint = "hint: rrun bundle old DIR && (set -C; tar -C DIR/rootfs -c . >box-old.tar); rrun bundle --umount old DIR && rm DIR/config.json && rmdir DIR/rootfs DIR\n";
    assert_eq!(said, format!("rrun: rrun has no verb \"export\"\n{hint}"));
    let (_, _, said) = host.outcome("rrun pull busybox:1.36");
    let hint = "hint: skopeo copy -q docker://busybox:1.36 docker-archive:/dev/stdout:busybox:1.36 | rrun load\n";
    assert_eq!(said, format!("rrun: rrun has no verb \"pull\"\n{hint}"));
}

/// Each is the commonest slip of its kind.
#[test]
fn a_hint_of_another_tools_verb_names_what_was_typed() {
    let host = Host::new();
    host.ok("rrun create --name web tools id");
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
            "skopeo copy -q docker://alpine docker-archive:/dev/stdout:alpine | runpack load",
        ),
        ("rnetns pids blue", "ip netns pids blue"),
        // A flag's value is none of the verb's words.
        ("rrun login -u me -p secret", "skopeo login REGISTRY"),
        ("rrun login --passwd secret", "skopeo login REGISTRY"),
        ("rrun login r.example -psecret", "skopeo login r.example"),
        ("runpack login -u me -p secret", "skopeo login REGISTRY"),
        (
            "rrun pull busybox --platform linux/arm64",
            "skopeo copy -q docker://busybox docker-archive:/dev/stdout:busybox | rrun load",
        ),
        (
            "runpack pull alpine --platform linux/arm64",
            "skopeo copy -q docker://alpine docker-archive:/dev/stdout:alpine | runpack load",
        ),
        (
            "rrun network create net1 -d bridge",
            "a network of your own is a namespace, which rrun run --net ns:NETNS joins: rnetns add net1  # afterwards: rnetns del net1",
        ),
        (
            "rrun events --since 10m",
            "the end of one container, and what it writes: rrun wait C; rrun logs -f C",
        ),
        (
            "rrun update --cpus 2 -m64m web",
            "of a limit that the container was started with: rcgroup set \"$(rrun info -f '{{.Instance}}')/$(rrun inspect -f '{{.Id}}' web)\" --cpus 2 -m 64m",
        ),
        (
            "rrun restart -s INT -t 3 web old",
            "it is stopped by that signal, and started: rrun stop -s INT -t 3 web old && rrun start web old",
        ),
        (
            "rrun volume prune -f --filter name=^a",
            "of volumes without a container those that the filter has: rrun volume ls -q -f dangling=true -f label=com.docker.volume.anonymous -f 'name=^a' | xargs -r rrun volume rm",
        ),
        (
            "rrun volume prune -af --filter name=^a",
            "of volumes without a container those that the filter has: rrun volume ls -q -f dangling=true -f 'name=^a' | xargs -r rrun volume rm",
        ),
        (
            "rrun volume ls --cluster",
            "volumes are of this machine: leave it out",
        ),
        (
            "rrun image kill web",
            "rrun kill is no verb of docker's group image: rrun image --help lists them",
        ),
        (
            "rrun container images",
            "rrun images is no verb of docker's group container: rrun container --help lists them",
        ),
        (
            "rrun image lst",
            "did you mean \"ls\"? See rrun image --help",
        ),
        (
            "rrun logs --details --tail 5 web",
            "the log keeps the text alone: rrun logs -t web",
        ),
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
    let sh = hint.replace("tools", "tools touch");
    for (file, code) in [("/d/new", 1), ("/k/new", 0)] {
        assert_eq!(host.code(&format!("{sh} {file}")), code, "{sh} {file}");
    }
    assert_eq!(host.ok("ls dir"), "");
}

/// The commands of a hint that makes a directory or a file, after the error of `script`.
fn ways(host: &Host, script: &str, error: &str) -> [String; 2] {
    let (code, _, said) = host.outcome(script);
    assert_ne!(code, 0, "{script}");
    let (first, hint) = said.trim_end().split_once("\nhint: ").unwrap();
    assert_eq!(first, error, "{script}");
    let (dir, rest) = hint.split_once(" makes a directory, ").unwrap();
    let file = rest.strip_suffix(" an empty file").unwrap();
    [dir.to_owned(), file.to_owned()]
}

/// Whether a directory or a file was meant is not known.
#[test]
fn a_source_that_is_missing_is_made_as_its_hint_says() {
    let host = Host::new();
    let at = host.path().display();
    let missing = "no such file or directory on this host".to_owned();
    let link = |link: &str, to: &str| {
        format!("\"{at}/{link}\" is a symbolic link to \"{to}\", which does not exist")
    };
    host.ok("ln -s deep/gone l; ln -s $PWD/l again");
    for (source, why) in [
        ("app.conf", missing.clone()),
        ("some where/app.conf", missing),
        ("l", link("l", "deep/gone")),
        ("again", link("again", &format!("{at}/l"))),
        ("l/below/it", link("l", "deep/gone")),
    ] {
        let run = format!("rrun run --rm --net none -v \"$PWD/{source}:/x\" tools sh -c");
        let error = format!("rrun: mounting \"{at}/{source}\": {why}");
        let ways = ways(&host, &format!("{run} :"), &error);
        for (way, kind) in ways.iter().zip(["-d", "-f"]) {
            host.ok(&format!(
                "{way} && {run} '[ {kind} /x ]' && rm -rf app.conf 'some where' deep"
            ));
        }
    }
    // One that is lost between two starts.
    for (name, first, why) in [
        ("plain", "", "No such file or directory".to_owned()),
        ("link", "ln -s lost/deep src", link("src", "lost/deep")),
    ] {
        for (nth, kind) in ["-d", "-f"].into_iter().enumerate() {
            host.ok(&format!(
                "mkdir src; rrun create --name {name}{nth} --net none -v $PWD/src:/x tools sh -c '[ {kind} /x ]'; rmdir src; {first}"
            ));
            let start = format!("rrun start -a {name}{nth}");
            let error = format!("rrun: binding \"{at}/src\" to \"/x\": {why}");
            let ways = ways(&host, &start, &error);
            host.ok(&format!("{} && {start} && rm -rf src lost", ways[nth]));
        }
    }
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

/// docker's group of images has no `kill`: the container runs on.
#[test]
fn a_group_takes_no_verb_of_another() {
    let host = Host::new();
    host.ok("rrun run -d --name web --net none tools sleep 1000");
    for typed in ["image kill web", "container rmi tools", "container gc"] {
        assert_ne!(host.code(&format!("rrun {typed}")), 0, "{typed}");
    }
    assert_eq!(
        host.ok("rrun ps --format '{{.Names}}'; rrun container ps -q | wc -l"),
        "web\n1\n"
    );
    assert_eq!(host.code("rrun image inspect tools"), 0);
}
