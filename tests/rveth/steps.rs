//! The steps of the library, as a runtime takes them.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::process::Command;

use kit_plan::{Context, FdId, Header, Journal, Mark, Plan, Roots, Silent};
use rveth::{At, Cable, End, Raise};

use super::*;

const NETNS: FdId = FdId::new("netns");

/// Runs `test` on a thread in a network namespace of its own, which then ends, with a second one, opened.
fn between_two_namespaces(test: impl FnOnce(OwnedFd) + Send) {
    let netns = || {
        kit_sys::process::unshare(rustix::thread::UnshareFlags::NEWNET).unwrap();
        OwnedFd::from(File::open("/proc/thread-self/ns/net").unwrap())
    };
    std::thread::scope(|scope| {
        let run = || {
            let inside = netns();
            drop(netns());
            test(inside);
        };
        scope.spawn(run).join().unwrap();
    });
}

/// ip(8) in the calling thread's namespace.
fn ip(args: &[&str]) -> Value {
    let out = Command::new("ip").arg("-j").args(args).output().unwrap();
    assert!(out.status.success(), "ip {args:?}: {}", text(&out.stderr));
    serde_json::from_slice(&out.stdout).unwrap_or(Value::Null)
}

/// What a runtime does for a container on a bridge, and then its rollback.
#[test]
fn the_steps_of_a_runtime_plug_a_container_into_a_bridge() {
    between_two_namespaces(|inside| {
        ip(&["link", "add", "name", "bk9", "up", "type", "bridge"]);
        let at = At::Opened {
            fd: NETNS,
            path: "/run/netns/inside".into(),
        };
        let mark = Mark::new(Roots::at("/r".into(), "/run/boxkit-test".into()).instance);
        let group = mark.instance.link_group();
        let mut plan = Plan::new("run");
        plan.push(Cable {
            bridge: Some("bk9".to_owned()),
            mark: Some(rveth::Mark { group, kept: true }),
            ..Cable::new(
                End::new("bk123456789ab", At::Own),
                End::new("eth0", at.clone()),
            )
        });
        plan.push(rveth::Label {
            link: "bk123456789ab".to_owned(),
            alias: "web".to_owned(),
        });
        plan.push(Raise {
            at,
            name: "eth0".to_owned(),
            addrs: vec!["10.9.0.2/24".parse().unwrap()],
            gateways: vec!["10.9.0.1".parse().unwrap()],
        });
        let script = plan.script().unwrap();
        let create = format!(
            "ip link add name bk123456789ab up master bk9 group {group} type veth peer name eth0 netns /run/netns/inside\n"
        );
        assert!(script.contains(&create), "{script}");
        assert!(
            script.contains("ip link set dev bk123456789ab alias web\n"),
            "{script}"
        );
        assert!(
            script.contains("nsenter --net=/run/netns/inside ip addr add 10.9.0.2/24 dev eth0\n"),
            "{script}"
        );

        let mut journal = Journal::in_memory(Header::new(&mark, "run".to_owned()).unwrap());
        let mut cx = Context::new(mark);
        cx.put_fd(NETNS, inside.try_clone().unwrap());
        let kernel = kit_undo::Kernel::new();
        plan.apply(&mut cx, &mut journal, &kernel, &mut Silent)
            .unwrap();
        let host = ip(&["link", "show", "dev", "bk123456789ab"]);
        assert_eq!(
            (&host[0]["master"], &host[0]["ifalias"]),
            (&"bk9".into(), &"web".into())
        );
        assert_eq!(
            host[0]["group"],
            group.to_string(),
            "the mark stays: it is a container's"
        );
        assert!(
            host[0]["flags"].as_array().unwrap().contains(&"UP".into()),
            "{host}"
        );
        let seen = kit_net::Netlink::open_in(std::os::fd::AsFd::as_fd(&inside)).unwrap();
        assert!(seen.need_link("eth0").unwrap().up);
        assert!(
            seen.routes()
                .unwrap()
                .iter()
                .any(kit_net::Route::is_default)
        );

        assert!(journal.rollback(&kernel, &mut Silent).is_empty());
        assert_eq!(
            ip(&["link", "show", "type", "veth"]),
            Value::Array(Vec::new())
        );
        assert!(seen.link("eth0").unwrap().is_none());
        assert_eq!(
            ip(&["link", "show", "dev", "bk9"])[0]["ifname"],
            "bk9",
            "the bridge is somebody else's"
        );
    });
}
