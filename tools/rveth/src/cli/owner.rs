//! Whose a link is: rrun's by its mark, another program's by the bridge that it is a port of, by a name of the form that
//! the program draws, or by the namespace that it is in. What ip(8) makes has no mark, and is anybody's.

use crate::Link;

/// Why `found`, which `link` names, is another program's; `beside` are all links where it is.
pub(super) fn of(link: &Link, found: &kit_net::Link, beside: &[kit_net::Link]) -> Option<String> {
    if kit_plan::is_an_instances_group(found.group) {
        return Some("it is rrun's".to_owned());
    }
    let master = beside.iter().find(|it| Some(it.index) == found.master);
    if let Some(master) = master
        && let Some(owner) = of_bridge(&master.name)
    {
        return Some(format!(
            "it is a port of \"{}\", which is {owner}'s",
            master.name
        ));
    }
    let in_theirs = || link.netns.as_ref()?.owner();
    let owner = of_drawn(&found.name).or_else(in_theirs)?;
    Some(format!("it is {owner}'s"))
}

/// Who makes bridges of that name.
fn of_bridge(name: &str) -> Option<&'static str> {
    const NUMBERED: [(&str, &str); 9] = [
        ("docker", "docker"),
        ("podman", "podman"),
        ("cni-podman", "podman"),
        ("nerdctl", "nerdctl"),
        ("cni", "CNI"),
        ("cbr", "Kubernetes"),
        ("virbr", "libvirt"),
        ("lxcbr", "lxc"),
        ("lxdbr", "LXD"),
    ];
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    let numbered = |(before, _): &&(&str, &str)| name.strip_prefix(before).is_some_and(is_number);
    match name {
        "docker_gwbridge" => Some("docker"),
        "kube-bridge" => Some("Kubernetes"),
        // A network that a user of docker made.
        _ if is_drawn(name, "br-", 12) => Some("docker"),
        _ => NUMBERED.iter().find(numbered).map(|(_, owner)| *owner),
    }
}

/// Who draws such names for the host's ends of cables.
fn of_drawn(name: &str) -> Option<&'static str> {
    const DRAWN: [(&str, usize, &str); 4] = [
        ("veth", 7, "docker"),
        ("veth", 8, "CNI"),
        ("cali", 11, "Calico"),
        ("lxc", 12, "Cilium"),
    ];
    let drawn = DRAWN
        .iter()
        .find(|(before, digits, _)| is_drawn(name, before, *digits));
    drawn.map(|(_, _, owner)| *owner)
}

/// Whether hexadecimal digits, so many, follow the word.
fn is_drawn(name: &str, before: &str, digits: usize) -> bool {
    let is_hex = |it: u8| it.is_ascii_digit() || (b'a'..=b'f').contains(&it);
    name.strip_prefix(before)
        .is_some_and(|rest| rest.len() == digits && rest.bytes().all(is_hex))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_other_programs_give_are_known_and_no_others() {
        for (name, owner) in [
            ("docker0", Some("docker")),
            ("br-0123456789ab", Some("docker")),
            ("cni-podman1", Some("podman")),
            ("cni0", Some("CNI")),
            ("virbr12", Some("libvirt")),
            ("br0", None),
            ("br-lan", None),
            ("docker", None),
            ("virbr0-nic", None),
        ] {
            assert_eq!(of_bridge(name), owner, "{name}");
        }
        for (name, owner) in [
            ("veth1a2b3c4", Some("docker")),
            ("veth1a2b3c4d", Some("CNI")),
            ("cali0123456789a", Some("Calico")),
            ("lxc0123456789ab", Some("Cilium")),
            ("veth0", None),
            ("veth1a2b3c4d5", None),
            ("veth1A2B3C4", None),
            ("eth0", None),
        ] {
            assert_eq!(of_drawn(name), owner, "{name}");
        }
    }
}
