//! Whether a cable would close a loop of bridges.

use std::collections::BTreeSet;

use kit_net::{Link, NetError, Netlink};

/// The other end of `link`, and the bridge that end is on, if that one is `bridge` itself or leads to it by cables
/// already plugged in. Ends in other namespaces are not followed.
pub(crate) fn by<'a>(
    links: &'a [Link],
    bridge: &Link,
    link: &Link,
) -> Option<(&'a Link, &'a Link)> {
    let end = other_end(links, link)?;
    let far = end.master?;
    let mut reached = BTreeSet::from([far]);
    loop {
        let further = links.iter().filter_map(|port| {
            // Not by the cable in question, which may be on another bridge still.
            let here = port.master.filter(|at| reached.contains(at))?;
            let there = other_end(links, port)
                .filter(|_| port.index != end.index)?
                .master?;
            (there != here && !reached.contains(&there)).then_some(there)
        });
        let further: Vec<u32> = further.collect();
        if further.is_empty() {
            break;
        }
        reached.extend(further);
    }
    let far = links.iter().find(|other| other.index == far)?;
    reached.contains(&bridge.index).then_some((end, far))
}

/// Whether the list of all links is worth asking for, which with many is long: the other end of `link` is here, and on a
/// bridge.
pub(crate) fn may_be(nl: &Netlink, link: &Link) -> Result<bool, NetError> {
    let Some(peer) = peer_here(link) else {
        return Ok(false);
    };
    let end = nl.link_by_index(peer)?;
    Ok(end.is_some_and(|end| end.master.is_some()))
}

/// A cable's other end, if it is in this namespace.
fn peer_here(link: &Link) -> Option<u32> {
    let is_cable = link.kind.as_deref() == Some("veth") && link.netnsid.is_none();
    link.peer.filter(|_| is_cable)
}

fn other_end<'a>(links: &'a [Link], link: &Link) -> Option<&'a Link> {
    let peer = peer_here(link)?;
    links.iter().find(|other| other.index == peer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bridge(index: u32) -> Link {
        Link {
            index,
            kind: Some("bridge".into()),
            ..Link::default()
        }
    }

    fn end(index: u32, peer: u32, master: Option<u32>) -> Link {
        Link {
            index,
            kind: Some("veth".into()),
            peer: Some(peer),
            master,
            ..Link::default()
        }
    }

    #[test]
    fn a_loop_is_seen_through_other_bridges_and_a_tree_is_none() {
        let mut links = vec![bridge(1), bridge(2), bridge(3)];
        // 1 - 2 - 3, and a cable whose one end is on 3.
        links.extend([end(11, 12, Some(1)), end(12, 11, Some(2))]);
        links.extend([end(13, 14, Some(2)), end(14, 13, Some(3))]);
        links.extend([end(15, 16, None), end(16, 15, Some(3))]);
        for closing in [1, 2, 3] {
            let found = by(&links, &bridge(closing), &links[7]);
            assert_eq!(
                found.map(|(end, far)| (end.index, far.index)),
                Some((16, 3))
            );
        }
        assert_eq!(by(&links, &bridge(4), &links[7]), None);
        // Moving an end from one bridge to another closes nothing by itself.
        assert_eq!(by(&links, &bridge(4), &links[3]), None);
        assert_eq!(by(&links, &bridge(3), &end(17, 18, None)), None);
    }
}
