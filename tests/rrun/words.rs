//! What is typed, as docker takes it: flags, groups of verbs, words that contradict each other, verbs of docker's that
//! are done another way.

use kit_test::Host;

#[test]
fn flags_are_as_docker_takes_them() {
    let host = Host::new();
    for (flags, said) in [
        ("-m64m", "0\n"),
        ("-eA=1 -w/tmp", "0\n"),
        ("-u5", "5\n"),
        ("-v/tmp:/x:ro -p8099:80", "0\n"),
        ("-i=false -it=false", "0\n"),
        // Of two the last counts.
        ("-u 1 -u 5 --rm --rm=true -m 64m -m 32m", "5\n"),
        ("--name one --name two", "0\n"),
        ("-c 512", "0\n"),
    ] {
        let got = host.outcome(&format!("rrun run --rm {flags} tools id -u"));
        assert_eq!(got, (0, said.to_owned(), String::new()), "{flags}");
    }
    // What follows IMAGE is the program's.
    let script = "rrun run --rm --entrypoint sh tools -c 'echo $0' -m";
    assert_eq!(host.ok(script), "-m\n");
}

/// What scripts pass whether they have a value for it or not.
#[test]
fn empty_and_zero_say_nothing() {
    let host = Host::new();
    for flags in [
        "-p 0:80",
        "-m 0 --memory-swap 0 --memory-reservation 0 --cpus 0 -c 0 --blkio-weight 0",
        "--cpuset-cpus '' --cpuset-mems ''",
        "-h '' --name '' -u '' --network '' --stop-signal ''",
        "-h '' --net none",
        "--net none --cidfile ''",
    ] {
        let got = host.outcome(&format!("rrun run --rm {flags} tools id -u"));
        assert_eq!(got, (0, "0\n".to_owned(), String::new()), "{flags}");
    }
    host.ok("rrun run --name /box tools sh -c 'echo said'");
    assert_eq!(host.ok("rrun ps -a --format '{{.Names}}'"), "box\n");
    assert_eq!(
        host.ok("rrun logs --since '' --until '' --tail '' box"),
        "said\n"
    );
    // The directory and the signal are the container's, the signal of a kill is SIGKILL.
    host.ok("rrun run -d --name asked --net none -w /tmp --stop-signal USR1 tools sh -c 'trap \"exit 6\" USR1; echo up; while :; do sleep 0.05; done'");
    host.until("rrun logs asked | grep up");
    for (verb, said) in [
        ("exec -w '' asked readlink /proc/self/cwd", "/tmp\n"),
        ("stop -s '' asked; rrun wait asked", "asked\n6\n"),
        ("start asked", "asked\n"),
        (
            "kill -s '' asked; timeout 30 rrun wait asked",
            "asked\n137\n",
        ),
    ] {
        assert_eq!(host.ok(&format!("rrun {verb}")), said, "{verb}");
    }
}

/// A script's variable that holds no template.
#[test]
fn an_empty_format_is_that_of_the_verb() {
    let host = Host::new();
    host.ok("rrun create --name one -v full:/v tools true");
    for list in ["ps -a", "images", "volume ls", "version", "inspect one"] {
        assert_eq!(
            host.ok(&format!("rrun {list} --format ''")),
            host.ok(&format!("rrun {list}")),
            "{list}"
        );
    }
}

/// `run -d IMAGE sh`, whose shell finds no input.
#[test]
fn a_shell_without_input_is_told_of() {
    let host = Host::new();
    let (code, _, said) = host.outcome("rrun run -d --net none --name box tools sh");
    let hint = "hint: container \"box\" has ended already: without -i \"sh\" has no input to read; rrun run -dit tools sh keeps it\n";
    assert_eq!((code, said.as_str()), (0, hint));
    host.ok(
        "rrun rm box; rrun run -dit --net none --name box tools sh; sleep 0.6; rrun exec box id",
    );
    // Another program is not waited for: the printing of the ID is held up here until it has ended.
    let script = "{ head -c 65536 /dev/zero; rrun run -d --net none --name brief tools sh -c 'echo why; exit 3' 2>said; } | \
        { for n in $(seq 600); do [ -z \"$(rrun ps -aq -f exited=3)\" ] || break; sleep 0.05; done; cat >/dev/null; }; cat said";
    let hint =
        "hint: container \"brief\" has ended already, with exit code 3: see rrun logs brief\n";
    assert_eq!(host.ok(script), hint);
    assert_eq!(host.ok("rrun logs brief"), "why\n");
    // What lives says nothing.
    let (code, _, said) = host.outcome("rrun run -d --net none tools sleep 1000");
    assert_eq!((code, said.as_str()), (0, ""));
}

/// Docker's forms of a volume.
#[test]
fn volumes_are_given_as_to_docker() {
    let host = Host::new();
    host.ok("mkdir -p here 'a,b'; echo here >here/file; echo comma >a,b/file");
    for (flags, said) in [
        ("-v ./here:/x", "here\n"),
        ("-v ./a,b/../here:/x", "here\n"),
        ("--mount type=bind,source=./here,target=/x", "here\n"),
        (
            "--mount \"type=bind,\\\"source=$PWD/a,b\\\",target=/x\"",
            "comma\n",
        ),
    ] {
        let got = host.ok(&format!("rrun run --rm {flags} tools cat /x/file"));
        assert_eq!(got, said, "{flags}");
    }
    // A new volume begins with what the image has there, unless it is told not to.
    host.ok("rrun create -v full:/bin tools true; rrun create -v bare:/bin:nocopy tools true");
    host.ok("rrun create --mount src=other,target=/bin,volume-nocopy tools true");
    assert_eq!(host.ok("ls root/volumes/full/_data | grep -x sh"), "sh\n");
    assert_eq!(
        host.ok("ls -A root/volumes/bare/_data root/volumes/other/_data | grep -x sh || :"),
        ""
    );
}

/// `-q` forgotten in `rrun rm $(rrun ps -a)`.
#[test]
fn the_head_of_a_table_names_no_container() {
    let host = Host::new();
    host.ok("rrun create --name one tools true; rrun run --name two tools true; rrun run -d --name three tools sh -c 'sleep 1000; :'");
    let before = host.ok("rrun ps -a --no-trunc --format '{{.ID}} {{.State}}'");
    for verb in ["rm", "rm -f", "rm -v", "stop", "kill", "start", "restart"] {
        let word = verb.split(' ').next().unwrap();
        let said = format!(
            "rrun: the containers are given as a table of \"rrun ps\", and not as names or IDs\nhint: -q prints the IDs alone: rrun {word} $(rrun ps -aq)\n"
        );
        for script in [
            format!("rrun {verb} $(rrun ps -a)"),
            format!("rrun ps -a | rrun {verb} -"),
        ] {
            assert_eq!(
                host.outcome(&script),
                (2, String::new(), said.clone()),
                "{script}"
            );
        }
    }
    assert_eq!(
        host.ok("rrun ps -a --no-trunc --format '{{.ID}} {{.State}}'"),
        before
    );
    let (code, out, said) = host.outcome("rrun rmi -f $(rrun images)");
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(
        said.ends_with("hint: -q prints the IDs alone: rrun rmi $(rrun images -q)\n"),
        "{said}"
    );
    assert_eq!(host.ok("rrun images -q | wc -l"), "1\n");
}

#[test]
fn a_group_has_the_verbs_that_stand_alone() {
    let host = Host::new();
    host.ok("rrun container create --name box tools true");
    for (grouped, alone) in [
        ("container ls -a -q", "ps -aq"),
        ("image ls -q", "images -q"),
        (
            "image inspect -f '{{.Id}}' tools",
            "inspect --type image -f '{{.Id}}' tools",
        ),
        (
            "container inspect -f '{{.Id}}' box",
            "inspect -f '{{.Id}}' box",
        ),
        ("system info", "info"),
    ] {
        let [got, wanted] = [grouped, alone].map(|words| host.ok(&format!("rrun {words}")));
        assert_eq!(got, wanted, "{grouped}");
    }
    let help = host.ok("rrun image --help");
    assert!(
        help.starts_with("Verbs about images\n\nUsage: rrun image <VERB>\n"),
        "{help}"
    );
    assert!(
        help.contains("\n  ls         List images\n") && !help.contains("exec"),
        "{help}"
    );
    assert_eq!(host.code("rrun container run --nope tools"), 125);
    assert_eq!(host.code("rrun container run --rm tools sh -c 'exit 3'"), 3);
    assert_eq!(host.ok("rrun container rm box; rrun ps -aq"), "box\n");
}

#[test]
fn words_that_contradict_each_other_are_told() {
    let host = Host::new();
    host.ok("rrun run -d --name web tools sleep 1000");
    let other = "ports and a host name belong to the container whose network is shared: give the flags to that one";
    for (typed, code, said) in [
        (
            "run --net container:web -p 80:80 tools id",
            125,
            format!(
                "rrun: conflicting options: port publishing and the network mode\nhint: {other}\n"
            ),
        ),
        (
            "run --net container:web -h x tools id",
            125,
            format!("rrun: conflicting options: hostname and the network mode\nhint: {other}\n"),
        ),
        (
            "run --net none --network host tools id",
            125,
            "rrun: a container cannot be connected to several networks: none, host\n".to_owned(),
        ),
        (
            "run --rm --net host -p 80:80 tools sh -c :",
            0,
            "WARNING: Published ports are discarded when using host network mode\n".to_owned(),
        ),
        (
            "create",
            2,
            "rrun: missing IMAGE\nhint: rrun images shows them; see rrun run --help\n".to_owned(),
        ),
        (
            "load -i",
            2,
            "rrun: flag needs an argument: --input\nhint: see rrun load --help\n".to_owned(),
        ),
        (
            "rmi",
            2,
            "rrun: missing <IMAGES>...\nhint: see rrun rmi --help\n".to_owned(),
        ),
        (
            "image",
            2,
            "rrun: no verb given after \"image\"\nhint: rrun image --help lists them\n".to_owned(),
        ),
    ] {
        let got = host.outcome(&format!("rrun {typed}"));
        assert_eq!(got, (code, String::new(), said), "{typed}");
    }
    let (code, _, said) =
        host.outcome("rrun run --rm --read-only tools sh -c 'echo 1.2.3.4 web >/etc/hosts'");
    assert!(
        code != 0 && said.contains("Read-only file system"),
        "{code} {said}"
    );
}

/// Each hint is a line that a shell takes, with the container's name for C.
#[test]
fn the_other_way_works() {
    let host = Host::new();
    host.ok("rrun run -d --name web tools sh -c 'touch /new; exec sleep 1000'");
    host.until("rrun exec web ls /new");
    let way = |verb: &str| -> String {
        let (code, _, said) = host.outcome(&format!("rrun {verb} web"));
        assert_eq!(code, 1, "{verb}: {said}");
        let hint = said.lines().find_map(|line| line.strip_prefix("hint: "));
        host.ok(hint.unwrap())
    };
    let state = "grep '^State' /proc/$(rrun inspect -f '{{.State.Pid}}' web)/status";
    way("pause");
    host.until(&format!("{state} | grep -q stopped"));
    way("unpause");
    host.until(&format!("! {state} | grep -q stopped"));
    assert!(way("stats").contains("sleep 1000"));
    assert_eq!(way("diff"), "A /new\n");
    way("export");
    assert_eq!(host.ok("tar -tf box-web.tar ./new"), "./new\n");
    host.ok("rrun rm -f web; rrun create --name old tools true");
    way("container prune");
    assert_eq!(host.ok("rrun ps -aq"), "");
}

#[test]
fn several_are_read_from_standard_input() {
    let host = Host::new();
    host.ok("set -e; for name in one two; do rrun run -d --name $name -p 80 tools sh -c \"echo $name\"; rrun wait $name; done");
    assert_eq!(
        host.ok("printf 'one\ntwo\n' | rrun logs -; rrun logs --tail -1 one"),
        "one\ntwo\none\n"
    );
    let (code, out, said) = host.outcome("rrun ps -aq | rrun port -");
    assert_eq!((code, out.as_str(), said.as_str()), (0, "", ""));
}

/// Nothing may be deleted beneath a mounted root, nor a second overlay come onto its upper directory.
#[test]
fn a_bundled_container_is_kept() {
    let host = Host::new();
    host.ok("rrun create --name box tools true; rrun bundle box here");
    let here = host.path().join("here");
    for (verb, doing) in [
        ("rm", "removing"),
        ("start", "starting"),
        ("bundle", "bundling"),
    ] {
        let dir = if verb == "bundle" { " there" } else { "" };
        let said = format!(
            "rrun: {doing} container \"box\": its root is mounted at {:?}\nhint: rrun bundle --umount box {}\n",
            here.join("rootfs"),
            here.display()
        );
        let got = host.outcome(&format!("rrun {verb} box{dir}"));
        assert_eq!(got, (1, String::new(), said), "{verb}");
    }
    host.ok("rrun bundle --umount box here; rrun start box; rrun wait box; rrun bundle box here");
    host.ok("rrun rm -f box");
    assert_eq!(host.ok("ls here/rootfs; rrun ps -aq"), "");
}

/// A name is a file's name, a program has three streams, a tmpfs no source.
#[test]
fn values_that_cannot_be_are_told_before_anything_is_made() {
    let host = Host::new();
    let long = "a".repeat(256);
    let name = "rrun: invalid container name (aaaaaaaaaaaaaaaaaaaa…): it has 256 bytes, and may have 255\n";
    for (typed, code, said) in [
        (format!("create --name {long} tools id"), 2, name),
        (
            format!("create -v {long}:/x tools id"),
            2,
            "rrun: invalid volume name (aaaaaaaaaaaaaaaaaaaa…): it has 256 bytes, and may have 255\n",
        ),
        (
            "create --mount type=tmpfs,source=/y,target=/x tools id".to_owned(),
            2,
            "rrun: invalid mount config for type \"tmpfs\": field Source must not be specified\n",
        ),
        (
            "create --ulimit nofile=2 tools id".to_owned(),
            2,
            "rrun: ulimit nofile must be 3 or more, for the program's standard streams: 2\n",
        ),
    ] {
        let got = host.outcome(&format!("rrun {typed}"));
        assert_eq!(got, (code, String::new(), said.to_owned()), "{typed}");
    }
    host.ok(&format!("rrun create --name {} tools id", &long[1..]));
    assert_eq!(
        host.ok("rrun ps -aq | wc -l; ls root/volumes 2>/dev/null | wc -l"),
        "1\n0\n"
    );
}

/// The hint is run: a shell with it can do what one without it could not.
#[test]
fn too_few_open_files_are_told_with_the_command_that_allows_more() {
    let host = Host::new();
    let (code, _, said) = host.outcome("ulimit -Sn 12; rrun run --rm --net none tools id");
    assert_eq!(code, 125, "{said}");
    let hint = said.lines().find_map(|line| line.strip_prefix("hint: "));
    let hint = hint.unwrap_or_default();
    let (cause, sh) = hint.split_once(": ").unwrap_or_default();
    assert_eq!(cause, "a process may have 12 files open here", "{said}");
    host.ok(&format!(
        "ulimit -Sn 12; {sh}; rrun run --rm --net none tools id"
    ));
}

#[test]
fn what_is_wrong_in_itself_is_told_before_anything_starts() {
    let host = Host::new();
    host.ok("rrun create --name one --net none tools sleep 1000");
    for verb in [
        "rrun run --detach-keys foo --name two tools sleep 1000",
        "rrun start --detach-keys foo -a one",
    ] {
        let (code, _, said) = host.outcome(verb);
        assert!(code != 0 && said.contains("detach"), "{said}");
        assert_eq!(host.ok("rrun ps -q"), "");
    }
    assert_eq!(host.ok("rrun ps -a --format '{{.Names}}'"), "one\n");
    // Without a terminal, as from cron: nobody types.
    host.ok("rrun start one; rrun exec -dit one sh -c : </dev/null; rrun exec -it --dry-run one id </dev/null");
}

/// A name that says too little, or a file that cannot be read, is not the same as nothing.
#[test]
fn a_removal_by_force_tells_what_it_could_not_remove() {
    let host = Host::new();
    // Of 17 IDs two begin alike.
    host.ok("for n in $(seq 17); do rrun create --net none tools id; done");
    let twice = host.ok("rrun ps -aq | cut -c1 | sort | uniq -d | head -n1");
    let (code, out, said) = host.outcome(&format!("rrun rm -f {}", twice.trim()));
    assert!(
        code == 1 && out.is_empty() && said.contains("containers have IDs that begin so"),
        "{code} {out} {said}"
    );
    assert_eq!(host.ok("rrun rm -f nosuch"), "");
}
