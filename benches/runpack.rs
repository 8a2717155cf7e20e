//! A layer of some thousand files unpacked, beside tar(1), which checks nothing, and umoci(1).
//!
//! `cargo bench -p runpack --bench runpack`, as root.

mod beside;

use beside::{Place, Subject, beside, can};

fn main() {
    if !can("runpack", &["tar", "umoci"]) {
        return;
    }
    let place = Place::new(env!("CARGO_BIN_EXE_runpack"));
    // Two copies of the time zones, as every Debian has them: 2,600 files.
    place.sh(
        "mkdir tree; cp -a /usr/share/zoneinfo tree/one; cp -a /usr/share/zoneinfo tree/two; tar -C tree -cf layer.tar .; \
         gzip -k layer.tar; umoci init --layout oci; umoci new --image oci:files; \
         umoci raw add-layer --image oci:files layer.tar; mkdir out",
    );
    let dir = place.path().display();
    let runpack = place.ours("runpack");
    let fresh = [format!("rm -rf {dir}/out"), format!("mkdir {dir}/out")];
    let ours = Subject::new(
        "runpack",
        &[format!(
            "{runpack} unpack oci:{dir}/oci:files {dir}/out/root"
        )],
    );
    let tar = Subject::new(
        "tar -xzf",
        &[format!("tar -C {dir}/out -xzf {dir}/layer.tar.gz")],
    );
    let umoci = Subject::new(
        "umoci unpack",
        &[format!(
            "umoci unpack --image {dir}/oci:files {dir}/out/bundle"
        )],
    );
    let (ours, tar, umoci) = (
        ours.on(&place).before(&fresh),
        tar.before(&fresh),
        umoci.before(&fresh),
    );
    beside("runpack unpack", &ours, &[&tar, &umoci], false);
}
