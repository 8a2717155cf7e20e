//! What is mistyped: one line that names it, and one true hint.

use kit_test::Host;

#[test]
fn a_verb_that_is_nearly_one() {
    let host = Host::bare();
    let script = "a shell script of rrun run lines does it";
    for (typed, hint) in [
        ("del web", "did you mean \"rm\"? See rrun --help"),
        ("ls", "did you mean \"ps\"? See rrun --help"),
        ("list", "did you mean \"ps\"? See rrun --help"),
        (
            "run-it tools",
            "did you mean \"run -it\"? See rrun run --help",
        ),
        (
            "logs-f web",
            "did you mean \"logs -f\"? See rrun logs --help",
        ),
        ("ps-a", "did you mean \"ps -a\"? See rrun ps --help"),
        ("up", script),
        ("compose up", script),
        (
            "down",
            "of each container that a script of rrun run lines started: rrun rm -f C",
        ),
        (
            "mount",
            "the root of a container that runs; rmount makes mounts: ls /proc/$(rrun inspect -f '{{.State.Pid}}' C)/root",
        ),
        (
            "umount",
            "the root that rrun bundle mounted: rrun bundle --umount C DIR",
        ),
    ] {
        let (_, _, said) = host.outcome(&format!("rrun {typed}"));
        let line = format!("hint: {hint}");
        assert_eq!(said.lines().nth(1), Some(line.as_str()), "{typed}");
    }
    let said = "rrun: rrun has no verb \"diff\", and no container is called \"web\"\nhint: rrun ps -a shows them; rmount diff $(rrun inspect -f '{{.GraphDriver.Data.UpperDir}}' C)\n";
    assert_eq!(
        host.outcome("rrun diff web"),
        (1, String::new(), said.to_owned())
    );
}

/// `--lang zh` is a setting, and people type settings first.
#[test]
fn the_language_stands_before_the_verb_too() {
    let host = Host::new();
    for typed in [
        "rrun --lang zh run --explain --rm --net none tools id",
        "rrun --lang=zh --explain container run --rm --net none tools id",
        "rrun --explain --lang zh volume prune -f; rrun --lang zh create --explain tools id",
        "rnetns --lang zh --dry-run add blue >&2",
    ] {
        let (code, _, said) = host.outcome(typed);
        assert!(
            code == 0 && (said.contains("容器") || said.contains("网络命名空间")),
            "{typed}: {said}"
        );
    }
    let said = "rrun: unknown flag: --lang\nhint: verbs that change something have it, behind the verb: see rrun ps --help\n";
    assert_eq!(
        host.outcome("rrun --lang zh ps"),
        (2, String::new(), said.to_owned())
    );
    let (code, _, said) = host.outcome("rrun --lang zh");
    assert_eq!(
        (code, said.as_str()),
        (
            2,
            "rrun: unknown flag: --lang\nhint: verbs that change something have it, behind the verb: see rrun --help\n"
        )
    );
}

/// Rust's own words speak of digits and of types.
#[test]
fn a_number_that_is_none_is_told_in_words() {
    let host = Host::bare();
    let (none, empty, large) = ("it is no whole number", "it is empty", "it is too large");
    let long = "99999999999999999999";
    for (typed, flag) in [
        ("rrun run -c", "--cpu-shares <CPU_SHARES>"),
        ("rrun run --pids-limit", "--pids-limit <PIDS_LIMIT>"),
        ("rrun run --stop-timeout", "--stop-timeout <STOP_TIMEOUT>"),
        ("rrun ps -n", "--last <N>"),
        ("rrun stop -t", "--time <TIME>"),
        ("rrun restart -t", "--time <TIME>"),
        ("rcgroup create -c", "--cpu-shares <CPU_SHARES>"),
        (
            "rcgroup set --blkio-weight",
            "--blkio-weight <BLKIO_WEIGHT>",
        ),
        ("rmount tmpfs --inodes", "--inodes <COUNT>"),
        ("rveth add --mtu", "--mtu <MTU>"),
        ("rveth set --mtu", "--mtu <MTU>"),
    ] {
        for (value, why) in [("abc", none), ("1.5", none), ("''", empty), (long, large)] {
            let (code, _, said) = host.outcome(&format!("{typed} {value}"));
            let value = value.trim_matches('\'');
            let (tool, rest) = typed.split_once(' ').unwrap();
            let line = format!("{tool}: invalid value '{value}' for '{flag}': {why}");
            assert_eq!(said.lines().next(), Some(line.as_str()), "{typed} {value}");
            assert_eq!(code, if rest.starts_with("run") { 125 } else { 2 });
        }
    }
    for (typed, why) in [
        ("rrun run -c -5", "it is less than 0"),
        (
            "rrun run --pids-limit -99999999999999999999",
            "it is too small",
        ),
        // A flag's own words stay.
        (
            "rrun run --blkio-weight 5",
            "it is a number from 10 to 1000",
        ),
        (
            "rrun run --blkio-weight x",
            "it is a number from 10 to 1000",
        ),
        ("rmount tmpfs --mode 9", "it is up to four octal digits"),
    ] {
        let (_, _, said) = host.outcome(typed);
        let line = said.lines().next().unwrap_or_default();
        assert!(line.ends_with(&format!(": {why}")), "{typed}: {line}");
    }
}

/// What is wrong in itself comes before an image that is missing.
#[test]
fn a_bad_port_or_volume_is_named_though_the_image_is_missing() {
    let host = Host::bare();
    let form = "it is NAME:PATH, DIR:PATH, or PATH alone";
    for (typed, said) in [
        ("-p abc", "invalid containerPort: abc".to_owned()),
        ("-p abc nosuch", "invalid containerPort: abc".to_owned()),
        (
            "--expose x nosuch",
            "invalid range format for --expose: x".to_owned(),
        ),
        (
            "-v :/x nosuch",
            format!(
                "invalid volume specification: ':/x': nothing is before the first colon: {form}"
            ),
        ),
        (
            "-v /x:",
            format!(
                "invalid volume specification: '/x:': nothing is after the first colon: {form}"
            ),
        ),
    ] {
        let got = host.outcome(&format!("rrun run {typed}"));
        assert_eq!(
            got,
            (125, String::new(), format!("rrun: {said}\n")),
            "{typed}"
        );
    }
}

#[test]
fn a_working_directory_that_is_a_dangling_link_is_told() {
    let host = Host::new();
    host.ok("runpack unpack tools fs; ln -s /nowhere fs/link");
    for dir in ["/link", "/link/below"] {
        let (code, _, said) =
            host.outcome(&format!("rrun run --rm --net none --rootfs fs -w {dir} id"));
        let wanted = format!(
            "rrun: entering working directory \"{dir}\": \"/link\" is a symbolic link to \"/nowhere\", which does not exist\n"
        );
        assert_eq!((code, said), (125, wanted));
    }
}

/// The hint is run, and what it makes has the name that was typed.
#[test]
fn an_archive_of_another_compression_is_told_with_what_converts_it() {
    let host = Host::new();
    host.ok("runpack unpack tools fs; tar -C fs -cf a.tar .; xz -0 -k a.tar; bzip2 -1 -k a.tar");
    for (file, by) in [("a.tar.xz", "xz"), ("a.tar.bz2", "bzip2")] {
        let (code, _, said) = host.outcome(&format!("rrun import {file} {by}:1"));
        let sh = format!("{by} -dc {file} | runpack import - {by}:1");
        let wanted = format!(
            "rrun: loading \"{file}\": it is compressed by {by}, which is not read here\nhint: a tar is taken as it is, or by gzip or zstd: {sh}\n"
        );
        assert_eq!((code, said), (1, wanted));
        host.ok(&sh);
        host.ok(&format!("rrun run --rm --net none {by}:1 id"));
    }
}

/// docker's own name of its registry, once.
#[test]
fn the_registrys_old_name_is_its_name() {
    let host = Host::new();
    for name in [
        "index.docker.io/library/tools",
        "index.docker.io/tools:latest",
    ] {
        host.ok(&format!("rrun run --rm --net none {name} id"));
    }
    host.ok("rrun tag tools index.docker.io/library/other:2");
    assert_eq!(
        host.ok("rrun images --format '{{.Repository}}:{{.Tag}}' other"),
        "other:2\n"
    );
}
