//! A network namespace made and deleted, beside ip-netns(8), which leaves lo down.
//!
//! `cargo bench -p rnetns --bench rnetns`, as root.

mod beside;

use beside::{Place, Subject, beside, can};

fn main() {
    if !can("rnetns", &["ip"]) {
        return;
    }
    let place = Place::new(env!("CARGO_BIN_EXE_rnetns"));
    let rnetns = place.ours("rnetns");
    let name = format!("bkbench{}", std::process::id());
    let ours = Subject::new(
        "rnetns",
        &[
            format!("{rnetns} add {name}"),
            format!("{rnetns} del {name}"),
        ],
    );
    let ip = Subject::new(
        "ip netns, lo up",
        &[
            format!("ip netns add {name}"),
            format!("ip -n {name} link set lo up"),
            format!("ip netns del {name}"),
        ],
    );
    beside("rnetns add, del", &ours.on(&place), &[&ip], true);
}
