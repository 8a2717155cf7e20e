//! What `inspect` shows of the flags that a container was made with, as docker's does.

use kit_test::Host;

#[test]
fn flags_can_be_read_back() {
    let host = Host::new();
    host.ok("rrun create --name all --cap-add net_admin --cap-add CAP_SYS_TIME --cap-drop chown --cap-drop sys_time \\
        --ulimit nofile=10:20 --ulimit core=-1 --tmpfs /x:size=1m,mode=1770 --tmpfs /y --security-opt no-new-privileges \\
        --security-opt seccomp=unconfined -P -p 80 -p 8080:81/udp --expose 90 --cidfile cid tools id
        rrun create --name none tools id");
    let read = |name: &str, of: &str| {
        let filter = format!(".[0].{of} | tojson");
        host.ok(&format!("rrun inspect {name} | jq -r '{filter}'"))
    };
    let show = |name: &str, of: &str| host.ok(&format!("rrun inspect -f '{{{{.{of}}}}}' {name}"));
    for (of, all, json, none) in [
        (
            "HostConfig.CapAdd",
            r#"["CAP_NET_ADMIN","CAP_SYS_TIME"]"#,
            "null",
            "[]",
        ),
        ("HostConfig.CapDrop", r#"["CAP_CHOWN"]"#, "null", "[]"),
        (
            "HostConfig.Ulimits",
            r#"[{"Name":"nofile","Hard":20,"Soft":10},{"Name":"core","Hard":-1,"Soft":-1}]"#,
            "[]",
            "[]",
        ),
        (
            "HostConfig.Tmpfs",
            r#"{"/x":"size=1m,mode=1770","/y":""}"#,
            "null",
            "map[]",
        ),
        (
            "HostConfig.SecurityOpt",
            r#"["no-new-privileges","seccomp=unconfined"]"#,
            "null",
            "[]",
        ),
        ("HostConfig.ShmSize", "67108864", "67108864", "67108864"),
        ("HostConfig.PublishAllPorts", "true", "false", "false"),
        ("HostConfig.ContainerIDFile", r#""cid""#, r#""""#, ""),
        ("HostConfig.ExtraHosts", "null", "null", "[]"),
        ("HostConfig.Dns", "[]", "[]", "[]"),
        ("HostConfig.PidMode", r#""""#, r#""""#, ""),
        (
            "HostConfig.IpcMode",
            r#""private""#,
            r#""private""#,
            "private",
        ),
        (
            "Config.ExposedPorts",
            r#"{"80/tcp":{},"81/udp":{},"90/tcp":{}}"#,
            "{}",
            "map[]",
        ),
        ("Config.Volumes", "null", "null", "map[]"),
        ("Config.Domainname", r#""""#, r#""""#, ""),
    ] {
        assert_eq!(read("all", of).trim(), all, "{of}");
        assert_eq!(read("none", of).trim(), json, "{of}");
        assert_eq!(show("none", of).trim_end_matches('\n'), none, "{of}");
    }
    assert_eq!(
        show("all", "HostConfig.Tmpfs"),
        "map[/x:size=1m,mode=1770 /y:]\n"
    );
    // A published port is not shown twice.
    host.ok("rrun run -d --name web -p 8097:80 tools sleep 1000");
    assert_eq!(
        host.ok("rrun ps --format '{{.Ports}}'"),
        "0.0.0.0:8097->80/tcp, [::]:8097->80/tcp\n"
    );
    assert_eq!(
        host.ok("nsenter --net=$(rrun inspect -f '{{.NetworkSettings.SandboxKey}}' web) ip -br -4 a show eth0 | awk '{print $3}' | cut -d/ -f1"),
        host.ok("rrun inspect -f '{{.NetworkSettings.IPAddress}}' web")
    );
}

/// moby: --privileged has no default filter, and a profile that was asked for holds.
#[test]
fn a_profile_that_is_given_holds_with_privileged() {
    let host = Host::new();
    host.ok(r#"echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO"}]}' >no-mkdir"#);
    let run = |flags: &str| {
        host.outcome(&format!("rrun run --rm --net none --privileged {flags} tools sh -c 'grep Seccomp: /proc/self/status; mkdir /new'"))
    };
    assert_eq!(run("").0, 0);
    let (code, out, said) = run("--security-opt seccomp=no-mkdir");
    assert_eq!((code, out.as_str()), (1, "Seccomp:\t2\n"), "{said}");
    assert_eq!(run("--security-opt seccomp=unconfined").0, 0);
}
