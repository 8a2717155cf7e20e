//! The library, as a program takes it: asserted through the command, ip(8) and nft(8).

use kit_plan::{Roots, Session};
use kit_undo::Kernel;
use rbridge::{Bridge, Published};

use crate::Host;

/// What `Bridge` gives is what the verbs do, and a session takes it back; a plan that fails takes itself back alone.
#[test]
fn a_program_makes_a_bridge_and_takes_it_back() {
    let host = Host::new();
    let roots = Roots::at(host.0.path("root"), host.0.path("run"));
    // Without the operational state: the kernel tells it a moment later (net/core/link_watch.c).
    let state = || {
        host.sh("ip -br addr | awk '{ print $1, $3 }'; nft list ruleset; cat /proc/sys/net/ipv4/ip_forward")
    };
    let before = state();
    let port = Published::parse("81:10.77.0.2:80").unwrap();
    let wanted = Bridge::named("br0").addr("10.77.0.1/24".parse().unwrap());
    // A port takes translation, and an address of the bridge's network.
    assert!(wanted.clone().publish(port).plan(&roots.instance).is_err());
    let other = wanted
        .clone()
        .nat()
        .publish(Published::parse("81:10.9.0.2:80").unwrap());
    assert!(other.plan(&roots.instance).is_err());

    let mut run = Session::open(&roots, "br", Kernel::new()).unwrap();
    let busy = Session::open(&roots, "br", Kernel::new()).err().unwrap();
    assert_eq!(
        busy.to_string(),
        format!(
            "opening session \"br\": process {} has it open",
            std::process::id()
        )
    );
    let plan = wanted.nat().publish(port).plan(run.instance()).unwrap();
    run.apply(plan).unwrap();
    let told = host.json("rbridge show br0 --json");
    assert_eq!(told[0]["nat"], true);
    assert_eq!(told[0]["published"][0], "81:10.77.0.2:80/tcp");
    let made = state();
    // The port is taken by then: the second bridge goes, the first stays.
    let second = Bridge::named("br1").addr("10.77.0.1/24".parse().unwrap());
    let second = second.nat().publish(port).plan(run.instance()).unwrap();
    let failed = run.apply(second).unwrap_err();
    assert!(
        failed
            .to_string()
            .starts_with("publishing port \"81/tcp\": "),
        "{failed}"
    );
    assert_eq!(state(), made);
    let left = run.undo();
    assert!(left.is_empty(), "{left}");
    // Forwarding is shared: it goes off, and its guard away, as nobody needs it.
    rbridge::release_unused().unwrap();
    assert_eq!(state(), before);
}
