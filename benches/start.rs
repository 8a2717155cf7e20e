//! How long a container takes to start and end, and a program to enter one: beside crun, and beside the same made of
//! unshare(1) and mount(8).
//!
//! `cargo bench -p rrun --bench start`, as root. crun does not know hybrid cgroups: all run in a private mount
//! namespace without `/sys/fs/cgroup/unified`.

mod beside;

use beside::{Place, Subject, beside, can};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

const PREPARE: &str = r#"
runpack pack -t bench --bin true sleep sh
mkdir bundle sleeper merged upper work
runpack unpack bench bundle/rootfs
cd bundle; crun spec
sed -i 's/"terminal": true/"terminal": false/; s/"sh"/"true"/' config.json
sed 's/"true"/"sleep", "1000"/; s|"path": "rootfs"|"path": "'"$PWD"'/rootfs"|' config.json >../sleeper/config.json
grep -q '"true"' config.json; grep -q '"sleep", "1000"' ../sleeper/config.json"#;

fn main() {
    if !can("start", &["crun", "unshare"]) {
        return;
    }
    unshare(CloneFlags::CLONE_NEWNS).expect("a mount namespace of our own");
    let none: Option<&str> = None;
    let private = MsFlags::MS_PRIVATE | MsFlags::MS_REC;
    mount(none, "/", none, private, none).expect("private mounts");
    // Where there is none it is a pure host, which crun knows.
    let _ = nix::mount::umount("/sys/fs/cgroup/unified");
    let place = Place::new(env!("CARGO_BIN_EXE_rrun"));
    place.sh(PREPARE);
    start(&place);
    exec(&place);
    place.sh("rrun gc");
}

fn start(place: &Place) {
    let rrun = place.ours("rrun");
    let id = format!("bk{}", std::process::id());
    let dir = place.path().display();
    let crun = Subject::new("crun run", &[format!("crun run -b {dir}/bundle {id}")]);
    // The least that a person would do by hand, with no cgroup, no limits, no filter and no state.
    let script = format!(
        "mount -t overlay -o lowerdir={dir}/bundle/rootfs,upperdir={dir}/upper,workdir={dir}/work overlay {dir}/merged \
         && mount -t proc proc {dir}/merged/proc && exec chroot {dir}/merged true"
    );
    let argv = [
        "unshare", "--mount", "--uts", "--ipc", "--net", "--pid", "--fork", "sh", "-c", &script,
    ];
    let by_hand = Subject::script("unshare, mount", &argv);
    let ours = |line: &str| Subject::new("rrun", &[format!("{rrun} {line}")]).on(place);
    let alone = ours("run --rm --net none bench true");
    beside("run --rm --net none", &alone, &[&crun, &by_hand], true);
    let bridged = ours("run --rm -p 127.0.0.1:39471:80 bench true");
    beside(
        "run --rm -p 8080:80, bridged with NAT",
        &bridged,
        &[&crun],
        true,
    );
}

fn exec(place: &Place) {
    let rrun = place.ours("rrun");
    let id = format!("bks{}", std::process::id());
    let dir = place.path().display();
    place.sh(&format!(
        "rrun run -d --net none --name {id} bench sleep 1000 >/dev/null; crun run -d -b sleeper {id}"
    ));
    let ours = Subject::new("rrun", &[format!("{rrun} exec {id} true")]).on(place);
    let crun = Subject::new("crun exec", &[format!("crun exec {id} true")]);
    beside("exec", &ours, &[&crun], true);
    place.sh(&format!(
        "crun delete -f {id}; rrun rm -f {id}; rm -rf {dir}/sleeper"
    ));
}
