//! `scripts/install`: what it installs works, and all of it goes again. Man pages are read by groff(1), completions asked for in
//! bash, zsh and fish themselves.

use std::path::Path;

use kit_test::{Room, binaries, skip};

use super::help::{about, rows};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/install");
const TOOLS: [&str; 7] = [
    "rnetns", "rveth", "rbridge", "rcgroup", "rmount", "runpack", "rrun",
];

/// Installed below `prefix` of a room.
fn installed() -> Room {
    let room = Room::new();
    room.ok(&format!(
        "{SCRIPT} --prefix prefix --bins {}",
        binaries().display()
    ));
    room
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path).any(|dir| dir.join(program).exists())
}

#[test]
fn what_was_installed_goes_again_and_nothing_else_does() {
    let room = Room::new();
    let install = format!("{SCRIPT} --bins {} --prefix", binaries().display());
    room.ok("mkdir -p prefix/share/man; echo mine >prefix/share/man/mine");
    let all = |when: &str| {
        let list = room.ok("cd prefix; find . | sort");
        assert!(!list.is_empty(), "{when}");
        list
    };
    let before = all("before");
    room.ok(&format!("{install} prefix"));
    for tool in TOOLS {
        room.ok(&format!("prefix/bin/{tool} --version"));
        room.ok(&format!("test -s prefix/share/man/man1/{tool}.1"));
    }
    // Once more: a newer version over it, which lacks a file that the older one had.
    room.ok("touch prefix/bin/older; echo 'f bin/older' >>prefix/share/boxkit/manifest");
    room.ok(&format!("{install} prefix"));
    room.ok("test ! -e prefix/bin/older");
    room.ok(&format!("{SCRIPT} --uninstall --prefix prefix"));
    assert_eq!(all("after"), before);
    let said = room.fails(1, &format!("{SCRIPT} --uninstall --prefix prefix"));
    assert!(
        said.starts_with("install: nothing of boxkit is installed below "),
        "{said}"
    );
    // A prefix that was not there is not there again.
    room.ok(&format!(
        "{install} new; {SCRIPT} --uninstall --prefix new; test ! -e new"
    ));
}

#[test]
fn somebody_elses_command_is_not_overwritten() {
    let room = Room::new();
    room.ok("mkdir -p prefix/bin; echo mine >prefix/bin/rrun");
    let said = room.fails(
        1,
        &format!("{SCRIPT} --prefix prefix --bins {}", binaries().display()),
    );
    assert!(
        said.contains("prefix/bin/rrun: there is one that we did not put there"),
        "{said}"
    );
    assert_eq!(room.ok("find prefix -type f | xargs cat"), "mine\n");
}

#[test]
fn each_verb_has_a_page_of_its_own_and_groff_finds_no_fault() {
    let room = installed();
    let pages = room.ok("ls prefix/share/man/man1");
    for page in [
        "rrun.1",
        "rrun-run.1",
        "rnetns-add.1",
        "runpack-pack.1",
        "rmount-overlay.1",
    ] {
        assert!(pages.lines().any(|line| line == page), "{page}: {pages}");
    }
    for tool in TOOLS {
        for (verb, text) in rows(&room.ok(&format!("{tool} --help"))) {
            let page = room.ok(&format!("{tool} man {verb}"));
            let has = |wanted: &str| page.lines().any(|line| line.starts_with(wanted));
            assert!(
                has(&format!(".TH {tool}-{verb} 1 ")),
                "{tool} man {verb}: {page}"
            );
            // Its name and what it does, as roff(7) has hyphens and quotes.
            let does = about(&text).0.replace('-', "\\-").replace('\'', "\\*(Aq");
            assert!(
                has(&format!("{tool}\\-{verb} \\- {does}")),
                "{tool} man {verb}: {page}"
            );
            assert!(
                has(&format!("\\fB{tool} {verb}\\fR")),
                "{tool} man {verb}: {page}"
            );
            let installed = format!("prefix/share/man/man1/{tool}-{verb}.1");
            assert_eq!(room.ok(&format!("cat {installed}")), page, "{installed}");
        }
    }
    assert!(room.ok("rrun man run").contains("publish"));
    let said = room.fails(2, "rrun man nothing");
    assert!(
        said.starts_with("rrun: printing the page of \"nothing\": it is not a verb of rrun"),
        "{said}"
    );
    if !is_installed("groff") {
        skip("man pages", "no groff on this machine");
        return;
    }
    let faults = room.ok(
        "cd prefix/share/man/man1; for page in *; do groff -man -Tutf8 -ww -z $page 2>&1; done",
    );
    assert_eq!(faults, "");
    if is_installed("mandoc") {
        let lint = "cd prefix/share/man/man1; mandoc -Tlint -W error * 2>&1 || :";
        assert_eq!(room.ok(lint), "");
    }
    // Examples keep their lines.
    let read = room.ok("cd prefix/share/man/man1; groff -man -Tascii -P-cbou rnetns.1");
    assert!(
        read.lines()
            .any(|line| line.trim_start().starts_with("rnetns add blue")),
        "{read}"
    );
}

/// What `shell` offers after `line`, one a line, sorted.
fn offered(room: &Room, shell: &str, line: &str) -> String {
    let tool = line.split(' ').next().unwrap();
    let script = match shell {
        "bash" => format!(
            "source prefix/share/bash-completion/completions/{tool}
            COMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}
            # As readline cuts it.
            read -ra COMP_WORDS < <(sed 's/[:=@]/ & /g' <<<\"$COMP_LINE\")
            [[ $COMP_LINE != *' ' ]] || COMP_WORDS+=('')
            COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
            _{tool} 2>/dev/null
            printf '%s\\n' \"${{COMPREPLY[@]}}\""
        ),
        "zsh" => format!(
            "compdef() {{ :; }}; _files() {{ :; }}; compadd() {{ print -l -- \"${{(@)names}}\"; }}
            source prefix/share/zsh/site-functions/_{tool}
            words=(${{=:-{line}}}); [[ '{line}' != *' ' ]] || words+=('')
            CURRENT=$#words
            _{tool}"
        ),
        _ => format!(
            "source prefix/share/fish/vendor_completions.d/{tool}.fish
            complete -C '{line}' | cut -f 1"
        ),
    };
    let mut command = room.command(shell);
    match shell {
        "bash" => command.args(["--norc", "--noprofile", "-c"]),
        "zsh" => command.args(["-f", "-c"]),
        _ => command.args(["--no-config", "-c"]),
    };
    let output = command
        .arg(script)
        .env("HOME", room.path(""))
        .output()
        .unwrap();
    let mut lines: Vec<String> = kit_test::text(&output.stdout)
        .lines()
        .map(str::to_owned)
        .collect();
    lines.retain(|line| !line.is_empty());
    lines.sort();
    lines.join(" ")
}

#[test]
fn verbs_flags_and_names_are_completed_in_each_shell() {
    let room = installed();
    room.ok("runpack pack -t img --bin true; rrun create --net none --name one img true; rrun create --net none --name other img true");
    for shell in ["bash", "zsh", "fish"] {
        if !is_installed(shell) {
            skip(
                &format!("completion in {shell}"),
                "it is not on this machine",
            );
            continue;
        }
        for (line, wanted) in [
            ("rrun ren", "rename"),
            ("rrun container rena", "rename"),
            ("rrun rm ", "one other"),
            ("rrun rm -f ot", "other"),
            ("rrun rm one oth", "other"),
            ("rrun run --rm im", "img:latest"),
            ("rrun rmi im", "img:latest"),
            ("rrun stop --ti", "--time"),
            ("rnetns de", "del"),
            ("rbridge nat br0 o", "off on"),
        ] {
            let got = offered(&room, shell, line);
            assert_eq!(got, wanted, "{shell}: {line:?}");
        }
    }
    room.ok("rrun rm one other");
}

#[test]
fn a_scripts_prefix_may_have_blanks() {
    let room = Room::new();
    room.ok(&format!(
        "mkdir 'a b'; {SCRIPT} --prefix \"$PWD/a b\" --bins {}; \"a b/bin/rrun\" --version; {SCRIPT} --uninstall --prefix 'a b'",
        binaries().display()
    ));
    assert!(Path::new(&room.path("a b")).exists());
    assert_eq!(room.ok("find 'a b' -type f"), "");
}
