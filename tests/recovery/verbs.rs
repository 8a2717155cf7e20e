//! A command that is killed before and after each of its own steps: what it was about is whole or gone, and after
//! `rrun gc` nothing else is left.

use std::os::unix::process::ExitStatusExt;

use clap::Parser;
use kit_test::Host;

use super::{Killer, every, host, is_as, kernel_state};

/// A command of `rrun`'s that is killed at one of its steps.
#[test]
#[ignore = "the others start it"]
fn killed() {
    rrun::cli::watched_by(|| Box::new(Killer::from_env()));
    let words = std::env::var("WORDS").unwrap();
    let words = std::iter::once("rrun").chain(words.split(' '));
    let cli = rrun::cli::Cli::try_parse_from(words).unwrap();
    rrun::cli::dispatch(cli).unwrap();
}

/// Whether it was killed.
fn kill_at(host: &Host, at: &str, words: &str) -> bool {
    let mut command =
        host.command("exec \"$TEST\" --exact verbs::killed --ignored --test-threads=1 --nocapture");
    let out = command
        .env("TEST", std::env::current_exe().unwrap())
        .env("KILL_AT", at)
        .env("WORDS", words)
        .env("TOTAL", host.path().join("total"))
        .output()
        .unwrap();
    let killed = out.status.signal() == Some(9);
    assert!(
        killed || out.status.success(),
        "{words} {at}: {}{}",
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    );
    killed
}

/// What is in the two roots, but for what lasts on purpose.
fn files(host: &Host) -> String {
    host.ok("find root run/transient run/images -path root/images/blobs -prune -o -path root/images/unpacked -prune -o -path 'root/volumes*' -prune -o -print | sort
             ls root/volumes 2>/dev/null | grep -v named || :")
}

struct Case {
    /// What is there before.
    made: &'static str,
    /// What is killed.
    words: &'static str,
    /// At least so many steps.
    steps: usize,
    /// What must hold after gc, however far it came: `$LEFT` is what `ps -a` shows then.
    holds: &'static str,
}

const RUNS: &str =
    "rrun run -d --name box -p 8080:80 -v named:/var/named -v /anon tools sleep 1000 >/dev/null";
const IS_THERE: &str = "rrun rm -f -v box >/dev/null; rrun gc";
/// It is whole if it is there at all.
const WHOLE_OR_GONE: &str = "[ -z \"$LEFT\" ] || { rrun start box && rrun exec box ls /anon && rrun rm -f -v box && rrun gc; } >/dev/null";

const CREATING: Case = Case {
    made: "rm -rf root/volumes/named",
    words: "create --name box -p 8080:80 -v named:/var/named -v /anon tools sleep 1000",
    steps: 7,
    holds: WHOLE_OR_GONE,
};

fn kill_everywhere(case: &Case) {
    let host = host();
    // What each of these leaves at its best.
    host.ok(&format!(
        "{RUNS}; rrun rm -f -v box; rrun run --rm tools id; rrun gc"
    ));
    let (kernel, before) = (kernel_state(&host), files(&host));
    host.ok(case.made);
    assert!(!kill_at(&host, "never", case.words), "{}", case.words);
    let total = std::fs::read_to_string(host.path().join("total")).unwrap();
    let total: usize = total.parse().unwrap();
    assert!(total >= case.steps, "{}: {total} steps", case.words);
    host.ok("rrun rm -f -v $(rrun ps -aq) >/dev/null 2>&1 || :; rrun gc");
    let points = (1..=total).flat_map(|n| [("before", n), ("after", n)]);
    for (point, number) in points.step_by(every()) {
        let at = format!("{point} {number} itself");
        host.ok(case.made);
        assert!(kill_at(&host, &at, case.words), "{} {at}", case.words);
        host.ok("rrun gc");
        let left = host.ok("rrun ps -a --format '{{.Names}} {{.State}}'");
        let (code, _, said) = host.outcome(&format!("LEFT='{}'; {}", left.trim(), case.holds));
        assert_eq!(
            (code, said.as_str()),
            (0, ""),
            "{} {at}: {left}",
            case.words
        );
        host.ok("rm -rf run/containers/*");
        is_as(&host, &kernel, &format!("{} {at}", case.words));
        assert_eq!(files(&host), before, "{} {at}", case.words);
    }
}

#[test]
fn create() {
    kill_everywhere(&CREATING);
}

#[test]
fn run() {
    kill_everywhere(&Case {
        words: "run -d --name box -p 8080:80 -v named:/var/named -v /anon tools sleep 1000",
        ..CREATING
    });
}

#[test]
fn a_run_that_is_to_leave_nothing() {
    kill_everywhere(&Case {
        words: "run --rm --name box -p 8080:80 -v named:/var/named -v /anon tools id",
        holds: "[ -z \"$LEFT\" ]",
        ..CREATING
    });
}

#[test]
fn rm() {
    kill_everywhere(&Case {
        made: RUNS,
        words: "rm -f -v box",
        steps: 5,
        holds: "[ -z \"$LEFT\" ] || { rrun rm -f -v box >/dev/null; rrun gc; }",
    });
}

#[test]
fn rm_of_what_is_to_leave_nothing() {
    kill_everywhere(&Case {
        made: "rrun run -d --rm --name box -p 8080:80 -v named:/var/named -v /anon tools sleep 1000 >/dev/null",
        words: "rm -f -v box",
        steps: 5,
        holds: "[ -z \"$LEFT\" ] || { rrun rm -f -v box >/dev/null; rrun gc; }",
    });
}

#[test]
fn rename() {
    kill_everywhere(&Case {
        made: RUNS,
        words: "rename box other",
        steps: 3,
        holds: "[ $(ls root/names | wc -l) = 1 ] && rrun rm -f -v ${LEFT% *} >/dev/null; rrun gc",
    });
}

#[test]
fn stop_and_kill() {
    for words in ["stop -t 1 box", "kill box"] {
        kill_everywhere(&Case {
            made: RUNS,
            words,
            steps: 2,
            holds: IS_THERE,
        });
    }
}

#[test]
fn restart() {
    kill_everywhere(&Case {
        made: RUNS,
        words: "restart -t 0 box",
        steps: 3,
        holds: IS_THERE,
    });
}

#[test]
fn a_restart_of_what_is_to_leave_nothing() {
    kill_everywhere(&Case {
        made: "rrun run -d --rm --name box -p 8080:80 -v named:/var/named -v /anon tools sleep 1000 >/dev/null",
        words: "restart -t 0 box",
        steps: 4,
        holds: "[ -z \"$LEFT\" ] || { rrun rm -f -v box && rrun gc; } >/dev/null",
    });
}

/// What a killed create and a killed rm have left, for a gc that is killed as well.
#[test]
fn gc() {
    let made = "rrun create --name box -v /anon tools sh >/dev/null; id=$(rrun ps -aq --no-trunc)
                touch root/containers/$id/doomed; mkdir -p -m 700 root/trash; mv root/containers/$id root/trash
                mkdir -p root/containers/.${id%?}x.new/upper root/volumes/.${id%?}x.00.new; echo $id >root/names/lost
                mkdir -p run/containers/$id";
    kill_everywhere(&Case {
        made,
        words: "gc",
        steps: 10,
        holds: "rrun gc",
    });
}
