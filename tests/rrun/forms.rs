//! Other forms of a run: of a directory, as a script; and images by docker's words.

use kit_test::Host;

#[test]
fn the_lowest_form_leaves_nothing() {
    let host = Host::new();
    let name = format!("bk-low-{}", std::process::id());
    host.ok(&format!(
        "runpack unpack tools rootfs; rnetns add {name}; rcgroup create {name} --pids-limit 77"
    ));
    // What every run with an end leaves there.
    host.ok("rrun run --rm --net none tools id; rrun gc");
    let before = host.files("root rootfs");
    let out = host.sh(&format!(
        "rrun run --rm --rootfs rootfs --net ns:{name} --cgroup {name} -- sh -c 'readlink /proc/self/ns/net; exit 4'; \
         echo $?; ip netns exec {name} readlink /proc/self/ns/net; cat /sys/fs/cgroup/pids/{name}/tasks"
    ));
    host.ok(&format!("rcgroup del {name}; rnetns del {name}"));
    let text = String::from_utf8(out.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines,
        [lines[0], "4", lines[0]],
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    assert_eq!(host.files("root rootfs"), before);
}

#[test]
fn a_dry_run_is_a_script_that_does_the_same() {
    let host = Host::new();
    // gc waits for what a run does after its report.
    host.ok("rrun run --rm tools id; rrun gc --keep-network");
    let before = host.files("root run");
    host.ok("rrun run --dry-run --rm --net none tools sh -c 'echo hi $((6*7)); exit 5' >none.sh");
    assert_eq!(host.files("root run"), before);
    let (code, out, said) = host.outcome("BOXKIT_PARTIAL=1 sh none.sh");
    assert_eq!((code, out.as_str()), (5, "hi 42\n"), "{said}");
    // Made now: a script says what is to be done as things are.
    host.ok("rrun run --dry-run --rm -h boxy tools sh -c 'hostname; ip -br -4 addr show eth0; exit 6' >bridged.sh");
    let (code, out, said) = host.outcome("BOXKIT_PARTIAL=1 sh bridged.sh");
    assert_eq!(code, 6, "{said}");
    assert!(out.starts_with("boxy\neth0@"), "{out}");
}

#[test]
fn images_come_and_go_by_dockers_words() {
    let host = Host::new();
    host.ok("rrun save -o t.tar tools && rrun tag tools other:2 && rrun rmi tools other:2");
    assert_eq!(host.ok("rrun images -q"), "");
    assert_eq!(
        host.ok("rrun load -i t.tar"),
        "Loaded image: tools:latest\n"
    );
    host.ok("rrun image rm tools");
    assert_eq!(host.ok("rrun load <t.tar"), "Loaded image: tools:latest\n");
    assert_eq!(
        host.ok("rrun image load --input=t.tar"),
        "Loaded image: tools:latest\n"
    );
    assert_eq!(host.ok("rrun run --rm tools id -u"), "0\n");
}
