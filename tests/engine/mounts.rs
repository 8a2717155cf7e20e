//! The options of mounts, each as /proc/self/mountinfo has it inside.

use super::{bundled, prints, refuses};

/// The mount at /x by its options and its propagation.
const AT_X: &str = "while read -r a b c d at own rest; do [ $at = /x ] && echo $own ${rest%%-*}; done </proc/self/mountinfo; :";

fn mounted(kind: &str, source: &str, options: &str) -> String {
    let options: Vec<String> = options.split(',').map(|word| format!("{word:?}")).collect();
    format!(
        r#".mounts+=[{{destination:"/x",type:"{kind}",source:"{source}",options:[{}]}}]"#,
        options.join(",")
    )
}

#[test]
fn the_last_word_for_an_attribute_holds() {
    let host = bundled("");
    host.ok("mkdir b/here && mount -t tmpfs -o noexec,nosuid here b/here");
    let dir = host.path().join("b/here").display().to_string();
    for (kind, source, options, own) in [
        (
            "tmpfs",
            "tmpfs",
            "nosuid,nodev,noexec,exec",
            "rw,nosuid,nodev,relatime",
        ),
        (
            "tmpfs",
            "tmpfs",
            "suid,nosuid,ro,rw,size=1m",
            "rw,nosuid,relatime",
        ),
        ("tmpfs", "tmpfs", "rw,ro", "ro,relatime"),
        ("tmpfs", "tmpfs", "noatime,relatime,strictatime", "rw"),
        (
            "tmpfs",
            "tmpfs",
            "noatime,nodiratime,diratime,nosymfollow",
            "rw,noatime,nosymfollow",
        ),
        ("bind", &dir, "bind", "rw,nosuid,noexec,relatime"),
        ("bind", &dir, "bind,exec", "rw,nosuid,relatime"),
        (
            "bind",
            &dir,
            "rbind,ro,rw,suid,exec,nodev",
            "rw,nodev,relatime",
        ),
        ("bind", &dir, "bind,noatime", "rw,nosuid,noexec,noatime"),
        ("bind", &dir, "bind,strictatime", "rw,nosuid,noexec"),
        ("bind", &dir, "rbind,rro", "ro,nosuid,noexec,relatime"),
        // Type bind says it all; a relative source is the bundle's.
        ("bind", "here", "ro", "ro,nosuid,noexec,relatime"),
        (
            "none",
            "here",
            "rbind,nodev",
            "rw,nosuid,nodev,noexec,relatime",
        ),
    ] {
        let seen = prints(&host, &mounted(kind, source, options), AT_X);
        assert_eq!(seen, format!("{own}\n"), "{kind} {options}");
    }
    host.ok("umount b/here");
}

#[test]
fn propagation_is_set_on_mounts_of_any_type() {
    let host = bundled("");
    host.ok("mkdir b/here && mount -t tmpfs here b/here && mount --make-shared b/here");
    for (kind, source, options, travel) in [
        ("tmpfs", "tmpfs", "rw", ""),
        ("tmpfs", "tmpfs", "rshared", "shared:"),
        ("tmpfs", "tmpfs", "unbindable", "unbindable"),
        ("tmpfs", "tmpfs", "shared,private", ""),
        ("proc", "proc", "shared", "shared:"),
        ("bind", "here", "rbind,runbindable", "unbindable"),
        ("bind", "here", "rbind,unbindable,rprivate", ""),
        ("cgroup", "cgroup", "ro,shared", "shared:"),
    ] {
        let jq = format!(
            "del(.linux.maskedPaths, .linux.readonlyPaths) | {}",
            mounted(kind, source, options)
        );
        let seen = prints(&host, &jq, AT_X);
        let seen = seen.trim_end().split_once(' ').map_or("", |(_, rest)| rest);
        let seen = seen.trim_end_matches(|c: char| c.is_ascii_digit());
        assert_eq!(seen, travel, "{kind} {options}");
    }
    host.ok("umount b/here");
}

#[test]
fn an_option_that_a_mount_does_not_take_is_named() {
    let host = bundled("");
    for (kind, options, said) in [
        (
            "tmpfs",
            "size=1m,bogus",
            "bundle: mounting tmpfs at \"/x\": tmpfs does not take option \"bogus\"",
        ),
        (
            "tmpfs",
            "size=much",
            "bundle: mounting tmpfs at \"/x\": tmpfs does not take option \"size=much\"",
        ),
        (
            "cgroup",
            "ro,bogus",
            "bundle: carrying out \"mounts.options\" of config.json: \"bogus\" is no option of a cgroup mount, at \"/x\"",
        ),
    ] {
        assert_eq!(refuses(&host, &mounted(kind, kind, options)), said);
    }
    assert_eq!(
        refuses(&host, r#".mounts+=[{destination:"/x",type:"bind"}]"#),
        "bundle: reading \"mounts.source\" of config.json: the bind mount at \"/x\" has none"
    );
}

/// moby#14620: what docker's --privileged has writable.
#[test]
fn cgroups_are_writable_without_ro_and_with_it_not() {
    let host = bundled("--privileged");
    let script =
        "cd /sys/fs/cgroup; [ -e cgroup.procs ] || cd pids; mkdir mine && rmdir mine && echo made";
    assert_eq!(prints(&host, ".", script), "made\n");
    let ro =
        r#"(.mounts[] | select(.type=="cgroup") | .options) |= (map(select(. != "rw")) + ["ro"])"#;
    let (code, out, said) = super::run(&host, ro, script);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(said.contains("Read-only file system"), "{said}");
}
