//! A cable between two namespaces, with addresses, up: beside the five commands of ip(8) that make the same. Each is
//! made between namespaces of its own, since the kernel takes a cable away in its own time.
//!
//! `cargo bench -p rveth --bench rveth`, as root.

mod beside;

use beside::{Place, Subject, beside, can};

fn main() {
    if !can("rveth", &["ip"]) {
        return;
    }
    let place = Place::new(env!("CARGO_BIN_EXE_rveth"));
    let rveth = place.ours("rveth");
    let id = std::process::id();
    let (one, two) = (format!("bkb1-{id}"), format!("bkb2-{id}"));
    let remake = [format!("ip netns add {one}"), format!("ip netns add {two}")];
    let clean = [format!("ip netns del {one}"), format!("ip netns del {two}")];
    let ours = Subject::new(
        "rveth",
        &[format!(
            "{rveth} add a@{one} b@{two} --addr 10.77.0.1/24 --peer-addr 10.77.0.2/24"
        )],
    );
    let ip = Subject::new(
        "ip, five times",
        &[
            format!("ip -n {one} link add name a type veth peer name b netns {two}"),
            format!("ip -n {one} addr add 10.77.0.1/24 dev a"),
            format!("ip -n {one} link set dev a up"),
            format!("ip -n {two} addr add 10.77.0.2/24 dev b"),
            format!("ip -n {two} link set dev b up"),
        ],
    );
    place.sh(&remake.join("; "));
    // What the last round made goes before the next.
    let again: Vec<String> = clean.iter().chain(&remake).cloned().collect();
    let (ours, ip) = (ours.on(&place).before(&again), ip.before(&again));
    beside("rveth add, two namespaces, addresses", &ours, &[&ip], false);
    place.sh(&clean.join("; "));
}
