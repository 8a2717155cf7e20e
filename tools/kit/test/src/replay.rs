//! What is left out when the state after a command is compared with the state after the script of its dry-run:
//! all of it, in this one place. Names, addresses, routes, masters, flags, options and rules are compared.

use serde_json::Value;

/// Keys of `ip -j -d addr` and `ip -j route` that no two runs agree on, and why.
pub const LINKS: [(&str, &str); 14] = [
    ("ifindex", "the kernel counts on"),
    ("link", "the other end's index, where it is elsewhere"),
    ("link_index", "likewise"),
    ("link_netnsid", "drawn as it is first asked for"),
    ("inet6_addr_gen_mode", "follows stable_secret"),
    ("stable_secret", "drawn"),
    ("preferred_life_time", "a time"),
    ("tentative", "until duplicate address detection is through"),
    ("operstate", "follows the carrier, some milliseconds later"),
    ("state", "a bridge port's, likewise"),
    ("root_id", "a bridge's, made from its hardware address"),
    ("bridge_id", "likewise"),
    ("port_id", "a bridge port's number"),
    ("designated_port", "likewise"),
];

/// Likewise, of `nft -j`.
pub const RULES: [(&str, &str); 1] = [("handle", "the kernel counts on")];

/// Words of a list that follow the carrier, some milliseconds later.
const CARRIER: [&str; 3] = ["NO-CARRIER", "LOWER_UP", "linkdown"];

/// Takes out of links and routes what is named above; hardware addresses that were drawn, that is, not `known`;
/// IPv6 link-local addresses, which are made from them; a bridge's timers.
pub fn forget_links(value: &mut Value, known: &[&str]) {
    match value {
        Value::Object(map) => {
            map.retain(|key, _| {
                !LINKS.iter().any(|(left_out, _)| key == left_out) && !key.ends_with("_timer")
            });
            for key in [
                "address",
                "permaddr",
                "designated_root",
                "designated_bridge",
            ] {
                let drawn = |mac: &Value| {
                    !known.iter().any(|known| mac == *known) && mac != "00:00:00:00:00:00"
                };
                if map.get(key).is_some_and(drawn) {
                    map.insert(key.to_owned(), "drawn".into());
                }
            }
            for inner in map.values_mut() {
                forget_links(inner, known);
            }
        }
        Value::Array(all) => {
            all.retain(|one| one["scope"] != "link" || one["family"] != "inet6");
            all.retain(|one| !CARRIER.iter().any(|word| one == *word));
            for one in all {
                forget_links(one, known);
            }
        }
        _ => {}
    }
}

/// Takes the handles out of a ruleset.
pub fn forget_rules(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|key, _| !RULES.iter().any(|(left_out, _)| key == left_out));
            map.values_mut().for_each(forget_rules);
        }
        Value::Array(all) => all.iter_mut().for_each(forget_rules),
        _ => {}
    }
}
