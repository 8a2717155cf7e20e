use super::*;

fn wanted() -> Wanted {
    Wanted {
        argv: vec!["true".to_owned()],
        hostname: "box".to_owned(),
        ..Wanted::default()
    }
}

#[test]
fn a_relative_working_directory_is_refused() {
    let relative = Wanted {
        workdir: "tmp".into(),
        ..wanted()
    };
    let refused = build(&relative, &ImageDefaults::default())
        .unwrap_err()
        .to_string();
    assert_eq!(
        refused,
        "the working directory 'tmp' is invalid, it needs to be an absolute path"
    );
}

#[test]
fn the_hosts_network_comes_with_a_host_name_of_its_own() {
    let host = Wanted {
        shares_net: true,
        ..wanted()
    };
    let spec = build(&host, &ImageDefaults::default()).unwrap();
    assert_eq!(spec.hostname().as_deref(), Some("box"));
    let kinds: Vec<_> = spec.linux().clone().unwrap().namespaces().clone().unwrap();
    let has = |kind| kinds.iter().any(|ns| ns.typ() == kind);
    assert!(has(LinuxNamespaceType::Uts) && !has(LinuxNamespaceType::Network));
}

#[test]
fn what_is_above_is_mounted_before_what_is_below() {
    let bind = |to: &str| mount(to, "bind", to, Vec::new()).unwrap();
    let order = |given: &[&str]| {
        let given = Wanted {
            mounts: given.iter().map(|to| bind(to)).collect(),
            ..wanted()
        };
        let spec = build(&given, &ImageDefaults::default()).unwrap();
        let mounts = spec.mounts().clone().unwrap();
        let all = mounts
            .iter()
            .map(|mount| mount.destination().display().to_string());
        all.collect::<Vec<_>>().join(" ")
    };
    assert!(
        order(&["/a/b/c", "/x/y", "/a/b", "/a/../z", "/a"])
            .ends_with("/a/../z /a /x/y /a/b /a/b/c")
    );
    assert_eq!(order(&["/dev"]), "/proc /sys /sys/fs/cgroup /dev");
    assert_eq!(
        order(&["/dev/shm", "/sys"]),
        "/proc /dev /dev/pts /sys/fs/cgroup /dev/mqueue /sys /dev/shm"
    );
}
