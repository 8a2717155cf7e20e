//! The six hooks: what each is told, where it runs, and what a failure does.

use super::{bundled, prints, refuses, run};

fn hook(name: &str, script: &str) -> String {
    format!(
        r#"{name}:[{{path:"/bin/sh",args:["sh","-c","{script}"],env:["PATH=/usr/bin:/bin","FROM=env"]}}]"#
    )
}

#[test]
fn each_runs_in_its_place_and_is_told_the_state() {
    let host = bundled("");
    let dir = host.path().display().to_string();
    let note = |name: &str| {
        format!(
            "{{ cat; echo; hostname; readlink /proc/self/ns/mnt; echo $FROM; }} >>{dir}/{name}; echo {name} >>{dir}/order"
        )
    };
    let hooks = [
        hook("prestart", &note("prestart")),
        hook("createRuntime", &note("createRuntime")),
        hook("createContainer", &note("createContainer")),
        hook("startContainer", "hostname; id -u; cat >/tmp/state"),
        hook("poststart", &note("poststart")),
        hook("poststop", &note("poststop")),
    ];
    let jq = format!(
        ".process.user={{uid:33,gid:33}} | .hooks={{{}}}",
        hooks.join(",")
    );
    let out = prints(
        &host,
        &jq,
        "echo program; grep -o created /tmp/state; sleep 0.3",
    );
    assert_eq!(out, "inside\n33\nprogram\ncreated\n");
    assert_eq!(
        host.ok("cat order"),
        "prestart\ncreateRuntime\ncreateContainer\npoststart\npoststop\n"
    );
    let own = host.ok("hostname; readlink /proc/self/ns/mnt");
    for (name, status) in [
        ("prestart", "creating"),
        ("createRuntime", "creating"),
        ("createContainer", "creating"),
        ("poststart", "running"),
        ("poststop", "stopped"),
    ] {
        let told = host.ok(&format!(
            "head -1 {name} | jq -r '.id, .status, .bundle, .ociVersion'"
        ));
        assert_eq!(told, format!("case\n{status}\n{dir}/b\n1.0.2\n"), "{name}");
        let has_pid = host.ok(&format!("head -1 {name} | jq 'has(\"pid\")'"));
        assert_eq!(has_pid.trim() == "true", name != "poststop", "{name}");
        let place = host.ok(&format!("sed -n 2,3p {name}"));
        assert_eq!(place == own, name != "createContainer", "{name}: {place}");
        assert_eq!(host.ok(&format!("tail -1 {name}")), "env\n");
    }
}

#[test]
fn one_that_fails_ends_the_start_and_nothing_is_left() {
    let host = bundled("");
    let groups = "find /sys/fs/cgroup -maxdepth 3 -name case -o -maxdepth 3 -name boxkit-case 2>/dev/null || :";
    for (jq, said) in [
        (
            r#".hooks={createRuntime:[{path:"/bin/false"}]}"#,
            "bundle: running createRuntime hook \"/bin/false\": exit status: 1",
        ),
        (
            r#".hooks={createContainer:[{path:"/no/such"}]}"#,
            "bundle: running createContainer hook \"/no/such\": No such file or directory (os error 2)",
        ),
        (
            r#".hooks={startContainer:[{path:"/bin/false"}]}"#,
            "bundle: running startContainer hook \"/bin/false\": exit status: 1",
        ),
        (
            r#".hooks={prestart:[{path:"/bin/sleep",args:["sleep","20"],timeout:1}]}"#,
            "bundle: running prestart hook \"/bin/sleep\": it took more than its timeout of 1 s",
        ),
    ] {
        assert_eq!(refuses(&host, jq), said, "{jq}");
        assert_eq!(host.ok(groups), "");
        assert_eq!(
            host.ok("ls -A run/bundles; ls run/journals 2>/dev/null"),
            ""
        );
    }
    // The program has run a moment by then: it is ended.
    let (code, _, said) = run(
        &host,
        r#".hooks={poststart:[{path:"/bin/false"}]}"#,
        "exec sleep 30",
    );
    assert_eq!(code, 125);
    assert!(
        said.contains("running poststart hook \"/bin/false\": exit status: 1"),
        "{said}"
    );
}

/// runtime-spec, "Lifecycle" 4 to 9; runc#5182.
#[test]
fn poststop_runs_after_a_start_that_failed() {
    let host = bundled("");
    let dir = host.path().display();
    let stop = hook("poststop", &format!("echo stopped >>{dir}/stopped"));
    for failing in ["prestart", "createContainer", "startContainer", "poststart"] {
        let jq = format!(r#".hooks={{{stop},{failing}:[{{path:"/bin/false"}}]}}"#);
        let (code, _, said) = run(&host, &jq, "exec sleep 30");
        assert_eq!(code, 125, "{failing}: {said}");
        assert_eq!(host.ok("cat stopped; rm stopped"), "stopped\n", "{failing}");
        assert_eq!(host.ok("ls -A run/bundles"), "", "{failing}");
    }
    let jq = format!(r#".hooks={{{stop}}} | .process.args=["/no/such"]"#);
    host.code(&format!(
        "jq '{jq}' base.json >b/config.json && {}/examples/bundle b case </dev/null",
        kit_test::binaries().display()
    ));
    assert_eq!(host.ok("cat stopped"), "stopped\n");
}

#[test]
fn a_timeout_ends_a_hook_that_does_not_read_and_its_children() {
    let host = bundled("");
    let dir = host.path().display();
    let jq = format!(
        r#".annotations.big=("x"*200000) | .hooks={{prestart:[{{path:"/bin/sh",args:["sh","-c","sleep 77 & echo $! >{dir}/pid; wait"],env:["PATH=/bin"],timeout:1}}]}}"#
    );
    let begun = std::time::Instant::now();
    assert_eq!(
        refuses(&host, &jq),
        "bundle: running prestart hook \"/bin/sh\": it took more than its timeout of 1 s"
    );
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
    let state = host.ok("cut -d' ' -f3 /proc/$(cat pid)/stat 2>/dev/null || echo ended");
    assert!(["ended\n", "Z\n"].contains(&state.as_str()), "{state}");
    // A large state reaches one that does read.
    let jq = format!(
        r#".annotations.big=("x"*200000) | .hooks={{{}}}"#,
        hook("prestart", &format!("wc -c >{dir}/size"))
    );
    prints(&host, &jq, "true");
    host.ok("[ $(cat size) -gt 200000 ]");
}

#[test]
fn start_container_is_told_the_pid_that_its_program_has() {
    let host = bundled("");
    let own = hook("startContainer", "cat >/tmp/state; echo $PPID >/tmp/pid");
    let script = "grep -q \"pid\\\":$(cat /tmp/pid)[,}]\" /tmp/state && [ $$ = $(cat /tmp/pid) ] && echo same";
    for jq in [
        format!(".hooks={{{own}}}"),
        format!(r#".hooks={{{own}}} | .linux.namespaces |= map(select(.type!="pid"))"#),
    ] {
        assert_eq!(prints(&host, &jq, script), "same\n", "{jq}");
    }
    assert_eq!(
        refuses(&host, r#".hooks={prestart:[{path:"/bin/true",env:["A"]}]}"#),
        "bundle: reading \"hooks.prestart.env\" of config.json: \"A\" is not NAME=VALUE"
    );
}
