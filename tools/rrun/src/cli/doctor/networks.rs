//! What networks need, tried in a network namespace that is thrown away; and rules of other programs that drop packets.

use std::fs::OpenOptions;
use std::io::Write;

use kit_net::rtnetlink::{LinkBridge, LinkVeth};
use kit_net::{Batch, NetError, Netlink, Nft};

use super::{Finding, find, in_child};
use box_state::Containers;

pub fn probe(containers: &Containers) -> Vec<Finding> {
    let in_netns = |body: fn() -> bool| in_child(libc::CLONE_NEWNET, body);
    let needed = "rrun run with a network, and -p";
    let mut found = vec![
        find(
            "veth and bridge",
            in_netns(|| cable().is_ok()),
            needed,
            "modprobe veth bridge; or --net none, --net host",
        ),
        find(
            "nftables",
            in_netns(|| table().is_ok()),
            needed,
            "modprobe nf_tables nft_chain_nat nft_masq; or --net none",
        ),
        find(
            "IPv4 forwarding that can be set",
            in_netns(|| forward().is_ok()),
            needed,
            "a /proc/sys that can be written; or --net none, --net host",
        ),
    ];
    let bridge = containers.roots.instance.bridge();
    // Only root may list rules. Without nftables there is no rule that drops; the row above reports that.
    if !rustix::process::geteuid().is_root() {
        return found;
    }
    let nft = Nft::open().map_err(rbridge::BridgeError::from);
    let damage = nft
        .as_ref()
        .map_or_else(|_| Vec::new(), |nft| damage(containers, nft));
    let blockers = nft.and_then(|nft| rbridge::forward_blockers(&nft, &bridge));
    let blocker = blockers.unwrap_or_default().into_iter().next();
    let way_out = blocker.as_ref().map(|blocker| blocker.command.clone());
    found.push(find(
        "no foreign FORWARD chain that drops",
        blocker.is_none(),
        "the way out of the bridge, and -p",
        way_out.unwrap_or_default(),
    ));
    found.push(find(
        "rules of the networks that containers use",
        damage.is_empty(),
        "the way out of the bridge, and -p",
        "rrun gc: another program has flushed them",
    ));
    found
}

fn damage(containers: &Containers, nft: &Nft) -> Vec<rbridge::Damage> {
    rbridge::repair::damage(&containers.roots, nft).unwrap_or_default()
}

fn cable() -> Result<(), NetError> {
    let nl = Netlink::open()?;
    nl.add_link(LinkBridge::new("br0").build())?;
    nl.add_link(LinkVeth::new("a0", "b0").build())
}

fn table() -> Result<(), NetError> {
    let nft = Nft::open()?;
    let mut batch = Batch::new();
    batch.create_table(&kit_net::nft::Table::new(
        kit_net::nft::Family::Ip,
        "doctor",
    ));
    nft.commit(batch)
}

/// /proc/sys/net shows the network namespace of the process that opens it, here the child's.
fn forward() -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .open("/proc/sys/net/ipv4/ip_forward")?;
    file.write_all(b"1")
}
