//! A run and an exec: their streams, their terminal, their exit code.

use kit_test::Host;

#[test]
fn a_foreground_run_ends_with_the_programs_exit_code() {
    let host = Host::new();
    assert_eq!(host.ok("rrun run --rm tools id -u"), "0\n");
    assert_eq!(host.code("rrun run --rm tools sh -c 'exit 7'"), 7);
    assert_eq!(
        host.code("rrun run --rm tools sh -c 'kill -TERM $$; kill -KILL $$; exit 3'"),
        3
    );
    assert_eq!(host.code("rrun run --rm tools nosuch"), 127);
    assert_eq!(host.code("rrun run --rm tools /etc"), 126);
    assert_eq!(host.code("rrun run --rm nosuch id"), 125);
    assert_eq!(host.code("rrun run --nosuch tools id"), 125);
    assert_eq!(host.files("root/containers root/names root/volumes"), "");
}

#[test]
fn its_streams_are_the_containers() {
    let host = Host::new();
    assert_eq!(host.ok("echo hi | rrun run -i --rm tools cat"), "hi\n");
    let (code, out, said) =
        host.outcome("rrun run --rm tools sh -c 'echo out; echo err >&2; exit 2'");
    assert_eq!((code, out.as_str(), said.as_str()), (2, "out\n", "err\n"));
    // Nothing is read without -i.
    assert_eq!(host.ok("echo hi | rrun run --rm tools cat"), "");
    let sum = "head -c 3000000 /dev/zero | rrun run -i --rm tools cat | wc -c";
    assert_eq!(host.ok(sum).trim(), "3000000");
}

#[test]
fn detached_it_prints_its_id_and_returns() {
    let host = Host::new();
    let id = host.ok("id=$(timeout 60 rrun run -d tools sleep 1000) && echo $id");
    assert_eq!(id.trim().len(), 64);
    assert!(id.trim().bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_eq!(host.ok("rrun stop -t 0 $(ls root/containers)"), id);
}

#[test]
fn exec_is_one_more_program_inside() {
    let host = Host::new();
    host.ok("rrun run -d --name box -e IMAGE=1 -w /tmp tools sleep 1000");
    assert_eq!(
        host.ok("rrun exec box sh -c 'pwd; id -u; echo $IMAGE'"),
        "/tmp\n0\n1\n"
    );
    assert_eq!(
        host.ok("rrun exec -u nobody -w /etc -e A=b -e IMAGE box sh -c 'pwd; id -un; echo $A'"),
        "/etc\nnobody\nb\n"
    );
    assert_eq!(
        host.ok("rrun exec -u 1000:7 box sh -c 'id -u; id -g'"),
        "1000\n7\n"
    );
    assert_eq!(host.ok("echo in | rrun exec -i box cat"), "in\n");
    assert_eq!(
        host.ok("rrun exec box readlink /proc/1/ns/pid"),
        host.ok("rrun exec box readlink /proc/self/ns/pid")
    );
    assert_eq!(host.code("rrun exec box sh -c 'exit 9'"), 9);
    assert_eq!(host.code("rrun exec box nosuch"), 127);
    assert_eq!(host.code("rrun exec box /etc"), 126);
    assert_eq!(host.code("rrun exec box sh -c 'kill -9 $$'"), 137);
    host.ok("rrun exec -d box sh -c 'echo made >/tmp/file'");
    assert_eq!(host.until("rrun exec box grep . /tmp/file"), "made\n");
    host.ok("rrun stop -t 0 box");
    assert_eq!(host.code("rrun exec box id"), 1);
}

#[test]
fn a_terminal_is_one() {
    let host = Host::new();
    // What is typed waits for what is shown, since ^P^Q in a terminal that is not raw yet are that one's own. The input
    // is held until all is done: at its end script(1) types a NUL.
    let typed = |typed: &str, command: &str| {
        host.outcome(&format!(
            "rm -f page done; shows() {{ until grep -qa \"$1\" page 2>/dev/null; do [ ! -e done ] || exit; sleep 0.05; done; }}
             ({typed}; until [ -e done ]; do sleep 0.05; done) | {{ script -qefc '{command}' page; code=$?; touch done; exit $code; }}"
        ))
    };
    let (code, out, _) = typed(
        "shows '# '; printf \"stty size; echo m\\$((40+2))\\n\"; shows m42; printf \"exit 3\\n\"",
        "stty rows 31 cols 97; rrun run -it --rm tools sh",
    );
    assert_eq!(code, 3, "{out}");
    assert!(out.contains("m42"), "{out}");
    assert!(out.contains("31 97"), "{out}");
    host.ok("rrun run -dit --name box tools sh");
    let (code, out, _) = typed(
        "shows '# '; printf \"stty size; exit 4\\n\"",
        "rrun exec -it box sh",
    );
    assert_eq!(code, 4, "{out}");
    let (code, out, _) = typed(
        "printf \"X=kept; echo first-\\$X\\n\"; shows first-kept; printf \"\\020\\021\"",
        "rrun attach box",
    );
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("rrun: read escape sequence"), "{out}");
    assert!(out.contains("first-kept"), "{out}");
    let (code, out, _) = typed("printf \"echo again-\\$X; exit 5\\n\"", "rrun attach box");
    assert_eq!(code, 5, "{out}");
    assert!(out.contains("again-kept"), "{out}");
}

#[test]
fn a_terminal_is_asked_for_where_there_is_none() {
    let host = Host::new();
    let (code, _, said) = host.outcome("echo | rrun run -it --rm tools sh");
    assert_eq!(
        (code, said.lines().next()),
        (1, Some("rrun: the input device is not a TTY"))
    );
}

#[test]
fn a_flag_that_is_not_there_is_called_so() {
    let host = Host::new();
    for (words, said) in [
        ("run --nope tools", "unknown flag: --nope"),
        ("run --rm --nope=1 -d tools id", "unknown flag: --nope"),
        ("run -Z tools", "unknown shorthand flag: 'Z' in -Z"),
    ] {
        let line = format!("rrun: {said}\nhint: see rrun run --help\n");
        assert_eq!(
            host.outcome(&format!("rrun {words}")),
            (125, String::new(), line),
            "{words}"
        );
    }
    assert_eq!(host.code("rrun run --rm tools sh -c 'exit 3' --nope"), 3);
}
