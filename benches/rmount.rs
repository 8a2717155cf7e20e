//! Mounts made and taken away, beside mount(8) and umount(8).
//!
//! `cargo bench -p rmount --bench rmount`, as root.

mod beside;

use beside::{Place, Subject, beside, can};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

fn main() {
    if !can("rmount", &["mount"]) {
        return;
    }
    unshare(CloneFlags::CLONE_NEWNS).expect("a mount namespace of our own");
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_PRIVATE | MsFlags::MS_REC, none).expect("private mounts");
    let place = Place::new(env!("CARGO_BIN_EXE_rmount"));
    let rmount = place.ours("rmount");
    place.sh("mkdir lower upper work at; echo hello >lower/file");
    let dir = place.path().display();
    let umount = format!("{rmount} umount {dir}/at");
    let ours = |line: String| Subject::new("rmount", &[line, umount.clone()]).on(&place);
    let theirs = |line: String| Subject::new("mount", &[line, format!("umount {dir}/at")]);
    let overlay = ours(format!(
        "{rmount} overlay -l {dir}/lower --upper {dir}/upper --work {dir}/work {dir}/at"
    ));
    let peer = theirs(format!(
        "mount -t overlay overlay -o lowerdir={dir}/lower,upperdir={dir}/upper,workdir={dir}/work {dir}/at"
    ));
    beside("rmount overlay, umount", &overlay, &[&peer], true);
    let bind = ours(format!("{rmount} bind --ro {dir}/lower {dir}/at"));
    let peer = theirs(format!("mount -o bind,ro {dir}/lower {dir}/at"));
    beside("rmount bind --ro, umount", &bind, &[&peer], true);
}
