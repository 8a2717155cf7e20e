//! What containers share: leases and networks of the library `rbridge`, in network namespaces that die with their
//! threads.

#![allow(clippy::unwrap_used)] // a test that cannot go on says where

mod mended;
mod versions;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use kit_net::Nft;
use kit_plan::{Context, Header, Journal, Mark, Plan, Roots, Silent, SlotId};
use kit_test::{own_netns, sh};
use kit_undo::Kernel;
use rbridge::lease::{acquire, leases, sweep};
use rbridge::network::{Dir, ensure, preview, remove};
use rbridge::{AcquireLease, BridgeError, HostPort, Join, Place, Publish, Target};
use tempfile::TempDir;

fn roots() -> (TempDir, Roots) {
    let dir = tempfile::tempdir().unwrap();
    let roots = Roots::at(dir.path().join("root"), dir.path().join("run"));
    roots.prepare().unwrap();
    (dir, roots)
}

#[test]
fn leases_are_never_shared_and_go_round() {
    own_netns();
    let (_dir, roots) = roots();
    let mut network = preview(&roots).unwrap();
    assert_eq!(network.prefix, 16, "docker's");
    // Room for few, so that it is soon full.
    network.prefix = 24;
    let dir = Dir::new(&roots, &network.name);
    std::fs::create_dir_all(dir.path()).unwrap();
    let taken: Vec<Ipv4Addr> = std::thread::scope(|scope| {
        let take = |n: usize| {
            let (dir, network) = (&dir, &network);
            scope.spawn(move || -> Vec<Ipv4Addr> {
                (0..20)
                    .map(|i| acquire(dir, network, &format!("c{n}-{i}")).unwrap())
                    .collect()
            })
        };
        let threads: Vec<_> = (0..8).map(take).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(taken.iter().collect::<BTreeSet<_>>().len(), 160);
    assert!(!taken.contains(&network.gateway));
    assert_eq!(leases(&dir).unwrap().len(), 160);
    // One just released is not the next one.
    let released = dir.path().join("leases").join(taken[0].to_string());
    std::fs::remove_file(&released).unwrap();
    assert_ne!(acquire(&dir, &network, "next").unwrap(), taken[0]);
    // All taken by the living: full. By the dead: taken over.
    let rest: Vec<_> = std::iter::from_fn(|| acquire(&dir, &network, "rest").ok()).collect();
    assert_eq!(leases(&dir).unwrap().len(), 253);
    assert!(rest.contains(&taken[0]));
    let full = acquire(&dir, &network, "more").unwrap_err();
    assert_eq!(
        full.to_string(),
        "taking an address of network \"bridge\": all of 172.30.0.0/24 are taken"
    );
    let text = std::fs::read_to_string(&released).unwrap();
    std::fs::write(&released, text.replace("\"start\":", "\"start\":1")).unwrap();
    assert_eq!(acquire(&dir, &network, "more").unwrap(), taken[0]);
    // A member keeps his, though who took it for him is gone.
    std::fs::create_dir_all(dir.path().join("members")).unwrap();
    std::fs::write(dir.member("more"), b"").unwrap();
    let text = std::fs::read_to_string(&released).unwrap();
    std::fs::write(&released, text.replace("\"start\":", "\"start\":1")).unwrap();
    assert!(acquire(&dir, &network, "again").is_err());
    assert_eq!(sweep(&dir).unwrap(), Vec::<std::path::PathBuf>::new());
    std::fs::remove_file(dir.member("more")).unwrap();
    assert_eq!(sweep(&dir).unwrap(), [released]);
}

#[test]
fn a_network_is_made_once_and_leaves_nothing() {
    own_netns();
    let before = (sh("ip -j link"), sh("nft list ruleset"));
    let ((_a, first), (_b, second)) = (roots(), roots());
    let nft = Nft::open().unwrap();
    let network = ensure(&first, &nft).unwrap();
    assert_eq!(
        (network.subnet().to_string(), network.bridge.clone()),
        ("172.30.0.0/16".into(), first.instance.bridge())
    );
    assert_eq!(ensure(&first, &nft).unwrap(), network);
    let other = ensure(&second, &nft).unwrap();
    assert_eq!(other.subnet().to_string(), "172.29.0.0/16");
    assert_eq!(sh("cat /proc/sys/net/ipv4/ip_forward"), "1\n");
    // Something is lost behind our back: it is completed.
    sh(&format!("ip link del {}", network.bridge));
    ensure(&first, &nft).unwrap();
    assert!(sh(&format!("ip addr show {}", network.bridge)).contains("172.30.0.1/16"));
    assert_eq!(
        sh(&format!(
            "cat /proc/sys/net/ipv4/conf/{}/route_localnet",
            network.bridge
        )),
        "1\n"
    );

    std::fs::write(Dir::new(&first, "bridge").member("c1"), b"").unwrap();
    // Of the links on the bridge that one goes that is ours, and whose member has gone.
    let bridge = &network.bridge;
    let group = first.instance.link_group();
    sh(&format!(
        "for link in bkc1xyz bkc2xyz; do ip link add $link group {group} master {bridge} type veth peer name p$link; done
         ip link add mine master {bridge} type veth peer name pmine; ip link add bkc3 group {group} type veth peer name pbkc3"
    ));
    assert!(!remove(&first, &nft, "bridge").unwrap(), "it has a member");
    assert_eq!(
        sh("ip -br link show type veth | cut -d@ -f1 | grep -v ^p"),
        "bkc1xyz\nmine\nbkc3\n"
    );
    sh("for link in bkc1xyz mine bkc3; do ip link del $link; done");
    std::fs::remove_file(Dir::new(&first, "bridge").member("c1")).unwrap();
    assert!(remove(&first, &nft, "bridge").unwrap());
    assert_eq!(
        sh("cat /proc/sys/net/ipv4/ip_forward"),
        "1\n",
        "the other instance needs it"
    );
    assert!(remove(&second, &nft, "bridge").unwrap());
    assert_eq!(sh("cat /proc/sys/net/ipv4/ip_forward"), "0\n");
    assert_eq!((sh("ip -j link"), sh("nft list ruleset")), before);
    assert!(!Dir::new(&first, "bridge").path().exists());
}

#[test]
fn somebody_elses_bridge_is_not_taken() {
    own_netns();
    let (_dir, roots) = roots();
    let bridge = roots.instance.bridge();
    sh(&format!(
        "ip link add {bridge} type bridge; ip route add 172.16.0.0/12 dev lo; ip route add 192.168.0.0/16 dev lo"
    ));
    let nft = Nft::open().unwrap();
    assert!(matches!(preview(&roots), Err(BridgeError::NoSubnet { .. })));
    sh("ip route del 192.168.0.0/16 dev lo");
    assert_eq!(
        preview(&roots).unwrap().subnet().to_string(),
        "192.168.0.0/20"
    );
    sh("ip route del 172.16.0.0/12 dev lo; ip route add 172.30.7.0/24 dev lo");
    assert_eq!(
        preview(&roots).unwrap().subnet().to_string(),
        "172.29.0.0/16"
    );
    assert!(matches!(
        ensure(&roots, &nft),
        Err(BridgeError::Foreign { .. })
    ));
    remove(&roots, &nft, "bridge").unwrap();
    sh(&format!("ip link show {bridge}"));
}

/// What `rrun` puts into a container's plan.
fn container(roots: &Roots) -> Plan {
    container_on(roots, "8080")
}

fn container_on(roots: &Roots, port: &str) -> Plan {
    const ADDR: SlotId = SlotId("addr");
    let network = preview(roots).unwrap();
    let (dir, owner) = (Dir::new(roots, "bridge"), "c0ffee".to_owned());
    let host = HostPort::parse(port).unwrap();
    let mut plan = Plan::new("rrun run");
    plan.push(Join::new(roots, &network, &owner));
    plan.push(AcquireLease {
        dir,
        network,
        owner,
        slot: ADDR,
        ports: vec![(host, 80)],
    });
    let publish = Publish::new(
        &roots.instance,
        Place::default(),
        host,
        (Target::Slot(ADDR), 80),
    );
    plan.push(publish.sweeping(roots));
    plan
}

/// A container that has started: the journal of its run, and what its monitor keeps.
fn started(roots: &Roots) -> (Journal, Context) {
    started_on(roots, "8080")
}

fn started_on(roots: &Roots, port: &str) -> (Journal, Context) {
    let mark = Mark::new(roots.instance.clone());
    let mut journal = Journal::in_memory(Header::new(&mark, "test").unwrap());
    let mut cx = Context::new(mark);
    container_on(roots, port)
        .apply(&mut cx, &mut journal, &Kernel::new(), &mut Silent)
        .unwrap();
    (journal, cx)
}

/// Rules, the bridge's addresses, forwarding, and the names of the network's files.
fn state(roots: &Roots) -> String {
    let files = format!(
        "cd {} && find networks -type f ! -name lock ! -name cursor | sort",
        roots.run.display()
    );
    sh(&format!(
        "nft list ruleset; ip -4 -o addr | sed 's/^[0-9]*//'; cat /proc/sys/net/ipv4/ip_forward; {files}; cat networks/bridge/network.json"
    ))
}

#[test]
fn a_container_joins_leases_and_publishes_and_leaves() {
    own_netns();
    let (_dir, roots) = roots();
    let clean = sh("ip -j link; nft list ruleset");
    let mark = Mark::new(roots.instance.clone());
    let mut journal = Journal::in_memory(Header::new(&mark, "test").unwrap());
    let mut cx = Context::new(mark);
    let kernel = Kernel::new();
    container(&roots)
        .apply(&mut cx, &mut journal, &kernel, &mut Silent)
        .unwrap();
    assert!(
        cx.kept::<Nft>().is_some(),
        "the socket stays open for who applied the plan"
    );
    let ours = state(&roots);
    assert!(
        ours.contains("elements = { tcp . 8080 : 172.30.0.2 . 80 }"),
        "{ours}"
    );
    assert!(
        ours.contains("networks/bridge/leases/172.30.0.2\nnetworks/bridge/members/c0ffee\n"),
        "{ours}"
    );
    // The end of a run: what is its own goes, the network stays until it is removed.
    assert!(journal.rollback(&kernel, &mut Silent).is_empty());
    let after = sh("nft list ruleset");
    assert!(
        after.contains("map ports") && !after.contains("8080"),
        "{after}"
    );
    assert_eq!(
        (
            leases(&Dir::new(&roots, "bridge")).unwrap().len(),
            Dir::new(&roots, "bridge").list_members().len()
        ),
        (0, 0)
    );
    assert!(remove(&roots, &Nft::open().unwrap(), "bridge").unwrap());
    assert_eq!(sh("ip -j link; nft list ruleset"), clean);

    // The same by the script, on another host.
    own_netns();
    sh(&container(&roots).script().unwrap());
    assert_eq!(state(&roots), ours);
    std::fs::remove_file(Dir::new(&roots, "bridge").member("c0ffee")).unwrap();
    assert!(remove(&roots, &Nft::open().unwrap(), "bridge").unwrap());
    assert_eq!(
        sh("nft list ruleset; cat /proc/sys/net/ipv4/ip_forward"),
        "0\n"
    );
}

#[test]
fn a_port_that_another_instance_published_is_taken() {
    own_netns();
    let room = kit_test::Room::new();
    room.ok("rbridge add br0 --addr 10.77.0.1/24; rbridge nat br0 on; rbridge publish 8080:10.77.0.2:80");
    let holder = room.ok("nft list tables ip | grep -o 'boxkit-[0-9a-f]\\{6\\}$'");
    let other = "export BOXKIT_RUN=$BOXKIT_RUN.2; rbridge";
    room.ok(&format!(
        "{other} add br1 --addr 10.78.0.1/24; rbridge nat br1 on"
    ));
    assert_eq!(
        room.fails(1, &format!("{other} publish 127.0.0.1:8080:10.78.0.2:80")),
        format!(
            "rbridge: publishing port \"127.0.0.1:8080/tcp\": published port \"8080:10.77.0.2:80/tcp\" of instance \"{}\" has it\nhint: stop that one, or choose another port\n",
            holder.trim()
        )
    );
    // Other ports, and the same one for UDP, are free.
    room.ok(&format!(
        "{other} publish 8081:10.78.0.2:80 8080:10.78.0.2:80/udp"
    ));
}

#[test]
fn ports_of_a_bridge_that_was_deleted_go_with_its_translation() {
    own_netns();
    let room = kit_test::Room::new();
    let elements = "nft list ruleset | grep -o '\\b80[0-9][0-9]\\b' | sort";
    room.ok(
        "for n in 1 2 3; do rbridge add br$n --addr 10.$n.0.1/24 --addr 10.1$n.0.1/24; rbridge nat br$n on; done
         rbridge publish 8001:10.1.0.2:80 8012:10.12.0.2:80 8002:10.2.0.2:80 8003:10.13.0.2:80
         ip link del br2; ip link del br3; rbridge nat br2 off",
    );
    // What leads to br3 may be of use again; who knows which that is?
    assert_eq!(room.ok(elements), "8001\n8002\n8003\n8012\n");
    room.ok("rbridge nat br3 off");
    assert_eq!(room.ok(elements), "8001\n");
    room.ok(
        "rbridge add br2 --addr 10.2.0.1/24; rbridge nat br2 on; rbridge publish 8002:10.2.0.2:80",
    );
}
