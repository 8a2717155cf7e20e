//! What the verbs of `rrun` do to containers that are there already: docker's words, whichever kind they are.

use std::time::{Duration, Instant};

use kit_test::Host;

#[test]
fn every_verb_finds_a_container_of_a_directory() {
    let host = Host::new();
    host.ok("runpack unpack tools rootfs");
    let id = host.ok(
        "rrun run -d --name bare -p 8080:80 --rootfs rootfs -- sh -c 'echo up; exec sleep 1000'",
    );
    let id = id.trim();
    let short = &id[..12];
    host.until("rrun logs bare | grep up");
    assert_eq!(
        host.ok("rrun port bare"),
        "80/tcp -> 0.0.0.0:8080\n80/tcp -> [::]:8080\n"
    );
    assert_eq!(
        host.ok(&format!("rrun exec {short} sh -c 'echo in'")),
        "in\n"
    );
    assert_eq!(
        host.ok(&format!("rrun inspect -f '{{{{.Id}}}}' {short}"))
            .trim(),
        id
    );
    let ip = |who: &str| host.ok(&format!("rrun exec {who} ip -4 -o addr show eth0"));
    host.ok("rrun run -d --name beside --net container:bare tools sleep 1000");
    assert_eq!(ip("beside"), ip("bare"));
    host.ok("rrun kill beside");
    host.ok("rrun rename bare other");
    assert_eq!(host.ok("rrun ps --format '{{.Names}}'"), "other\n");
    assert_eq!(host.ok("rrun stop -t 0 other"), "other\n");
    assert_eq!(host.ok("rrun wait other"), "137\n");
    assert_eq!(host.ok("rrun start other"), "other\n");
    assert_eq!(host.ok("rrun restart -t 0 other"), "other\n");
    assert_eq!(host.ok("rrun kill other"), "other\n");
    let (code, _, said) = host.outcome("rrun bundle other here");
    assert_eq!(code, 1);
    assert!(said.contains("it has no image"), "{said}");
    assert_eq!(host.ok("rrun rm other"), "other\n");
    assert!(host.path().join("rootfs/bin/sh").exists());
    assert_eq!(host.ok("rrun ps -a --format '{{.Names}}'"), "beside\n");
}

#[test]
fn a_name_is_one_containers_of_either_kind() {
    let host = Host::new();
    host.ok("runpack unpack tools rootfs; rrun create --name box tools sh");
    let (code, _, said) = host.outcome("rrun run --rm --name box --rootfs rootfs -- id");
    assert_eq!(code, 125);
    assert!(said.contains("\"box\": container"), "{said}");
    host.ok("rrun run -d --name bare --rootfs rootfs -- sleep 1000");
    let (code, _, said) = host.outcome("rrun rename box bare");
    assert_eq!(code, 1);
    assert!(said.contains("has that name"), "{said}");
    assert_eq!(host.code("rrun create --name bare tools sh"), 1);
}

#[test]
fn one_that_is_not_there_is_dockers_line_and_exit_code() {
    let host = Host::bare();
    let line = "rrun: No such container: nosuch\nhint: rrun ps -a shows them all\n";
    for verb in [
        "logs", "port", "stop", "kill", "rm", "start", "restart", "attach", "wait", "start -a",
    ] {
        let (code, out, said) = host.outcome(&format!("rrun {verb} nosuch"));
        assert_eq!((code, out.as_str(), said.as_str()), (1, "", line), "{verb}");
    }
    for words in [
        "exec nosuch id",
        "rename nosuch other",
        "bundle nosuch here",
    ] {
        let (code, _, said) = host.outcome(&format!("rrun {words}"));
        assert_eq!((code, said.as_str()), (1, line), "{words}");
    }
    let (code, out, said) = host.outcome("rrun inspect nosuch");
    assert_eq!((code, out.as_str()), (1, "[]\n"));
    assert!(said.starts_with("rrun: No such object: nosuch\n"), "{said}");
    let (code, _, said) = host.outcome("rrun inspect --type container nosuch");
    assert_eq!(code, 1);
    assert!(
        said.starts_with("rrun: No such container: nosuch\n"),
        "{said}"
    );
    assert_eq!(
        host.outcome("rrun rm -f nosuch"),
        (0, String::new(), String::new())
    );
}

/// What a verb leaves, without what differs between two hosts: IDs, times, PIDs.
fn state(host: &Host) -> String {
    let ps =
        r"rrun ps -a --no-trunc --format '{{.Names}} {{.State}} {{.Image}} {{.Command}}' | sort";
    let code = "for c in $(rrun ps -aq); do rrun inspect -f '{{.Name}} {{.State.ExitCode}}' $c; rrun logs $c | tr '\\n' ' '; done | sort";
    let left = "cd $BOXKIT_ROOT; for d in containers names trash images/pins volumes $BOXKIT_RUN/containers $BOXKIT_RUN/journals; \
                do echo $d $(ls -A $d 2>/dev/null | wc -l); done | sed 's,.*/run/,run/,'";
    host.ok(&format!("{ps}; {code}; ls $BOXKIT_ROOT/names; {left}"))
}

/// No run is left but those that live: the journals of the others are replayed, and gone.
const SETTLED: &str = "[ $(ls -A run/journals | wc -l) = $(rrun ps -q | wc -l) ]";

#[test]
fn a_dry_run_replayed_by_sh_leaves_what_the_verb_leaves() {
    let made = "rrun run -d --name web --net none -v /data tools sh -c 'echo up; exec sleep 1000' >id; \
                rrun run -d --name deaf --net none tools sh -c 'trap \"\" TERM; trap \"exit 7\" USR1; echo set; sleep 1000 & wait' >>id; \
                rrun run -d --rm --name brief --net none tools sleep 1000 >>id; \
                rrun run --name done --net none -v /data tools sh -c 'echo up; exit 3' >>id || :; \
                rrun create --name new --net none tools sh >>id";
    for verb in [
        "stop -t 1 web deaf done",
        "stop -t 0 brief",
        "kill web",
        "kill -s USR1 deaf",
        "kill -s KILL brief",
        "rename done other",
        "rename web other",
        "rm done new",
        "rm -v done",
        "rm -f web deaf",
        "rm -f -v web brief",
        "restart -t 0 web",
        "restart -t 0 done",
    ] {
        let states = [
            "sh -c \"rrun VERB\"",
            "rrun VERB --dry-run >s; unchanged; sh -e s",
        ]
        .map(|way| {
            let host = Host::new();
            host.ok(made);
            host.until("rrun logs deaf | grep set");
            let before = state(&host);
            for part in way.split("; ") {
                if part == "unchanged" {
                    assert_eq!(state(&host), before, "{verb} --dry-run");
                } else {
                    let (code, _, said) = host.outcome(&part.replace("VERB", verb));
                    assert_eq!((code, said.as_str()), (0, ""), "{part} {verb}");
                }
            }
            // The end of a container is its monitor's to report, and to clear up after; a signal is not waited for.
            host.code("rrun wait done");
            let start = Instant::now();
            while state(&host) == before && start.elapsed() < Duration::from_secs(60) {}
            host.until(SETTLED);
            assert_ne!(state(&host), before, "{verb}");
            state(&host)
        });
        assert_eq!(states[0], states[1], "{verb}");
    }
}

#[test]
fn what_a_verb_does_is_explained_and_traced() {
    let host = Host::new();
    host.ok("rrun run -d --name web --net none tools sleep 1000");
    let (code, out, said) = host.outcome("rrun rename --explain web front");
    assert_eq!((code, out.as_str()), (0, ""));
    assert!(
        said.contains("  1  Take the name front: by link(2) only one can have it"),
        "{said}"
    );
    let (code, out, said) = host.outcome("rrun stop --trace -t 1 front");
    assert_eq!((code, out.as_str()), (0, "front\n"));
    let ids: Vec<String> = said
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|step| step["id"].as_str().unwrap_or_default().to_owned())
        .collect();
    let steps = [
        "process.signal",
        "process.await",
        "process.signal",
        "process.report",
    ];
    assert_eq!(ids, steps);
    let (code, _, said) = host.outcome("rrun rm --explain front");
    assert_eq!(code, 0);
    assert!(
        said.contains("Rename the container's directory away: it is gone"),
        "{said}"
    );
    let kept = host.files("root/containers root/names root/trash root/images/pins");
    assert_eq!(
        kept,
        "root/containers
root/names
root/trash
"
    );
}
