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
    let groups = "find /sys/fs/cgroup -maxdepth 3 -name case -o -maxdepth 3 -name boxkit-case";
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
            host.ok("find run/bundles -type p; ls run/journals 2>/dev/null"),
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
