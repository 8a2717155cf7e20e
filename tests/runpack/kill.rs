//! Each verb of runpack that changes something, killed before each of its calls that change something, by strace(1). After
//! `runpack gc` all is as before the verb, or as after it; and what the scripts of `--dry-run` leave when sh runs them.

use std::process::Output;

/// Calls before which it is killed.
const CALLS: [&str; 8] = [
    "rename",
    "renameat2",
    "mkdir",
    "flock",
    "fdatasync",
    "fsync",
    "unlink",
    "unlinkat",
];

struct Room(kit_test::Room);

impl Room {
    /// With an image of two layers in a layout, in an archive, and in the store as `kept`; and what is in the room is in `base`.
    fn new() -> Self {
        let room = Self(kit_test::Room::new());
        room.sh("umoci init --layout lay && umoci new --image lay:two
            mkdir a b && echo one > a/one && mkdir a/dir && echo two > b/two && ln -s one b/link
            umoci insert --image lay:two a /a && umoci insert --image lay:two b /b
            skopeo copy -q oci:lay:two oci-archive:two.tar:two && tar -C a -cf a.tar .
            runpack load oci:lay:two -t kept && mkdir work && cp -a root base");
        room
    }

    fn try_sh(&self, script: &str) -> Output {
        self.0.sh(script)
    }

    fn sh(&self, script: &str) -> String {
        self.0.ok(script)
    }

    fn reset(&self) {
        self.sh("rm -rf root run work && cp -a base root && mkdir work");
    }

    /// Every name in the roots and in the working directory, the images' names, and that each blob is what its name says.
    /// Digests are left out: a new image has the time in its configuration.
    fn state(&self) -> String {
        self.sh("cd root/images/blobs/sha256 && for blob in *; do [ ! -e $blob ] || [ $(sha256sum <$blob | cut -c-64) = $blob ]; done
            cd ../../../.. && jq -c '[.manifests[].annotations[\"org.opencontainers.image.ref.name\"]] | sort' root/images/index.json
            find root run work ! -name '*.lock' -printf '%y %s %p\\n' 2> /dev/null | grep -v '^d' | sed -E 's/[0-9a-f]{64}/DIGEST/; s/^f [0-9]+ /f /' | sort
            find root run work -type d ! -path run ! -path 'run/*' | sed -E 's/[0-9a-f]{64}/DIGEST/' | sort")
    }

    /// Kills `verb` before each call there is; what is left, a gc takes.
    fn killed(&self, verb: &str) {
        self.signalled(verb, "KILL", 137, "runpack gc");
    }

    /// Asks `verb` to end at each call there is; it takes everything along by itself.
    fn interrupted(&self, verb: &str) {
        self.signalled(verb, "TERM", 143, ":");
    }

    fn signalled(&self, verb: &str, signal: &str, ended: i32, then: &str) {
        self.reset();
        let before = self.state();
        self.sh(verb);
        self.sh(then);
        let after = self.state();
        assert_ne!(before, after, "{verb} changes nothing");
        let mut times = 0;
        for call in CALLS {
            for number in 1.. {
                self.reset();
                let out = self.try_sh(&format!(
                    "strace -f -qq -o log -e trace={call} -e inject={call}:signal={signal}:when={number} {verb}"
                ));
                let said = String::from_utf8_lossy(&out.stderr);
                let code = out.status.code();
                assert!(
                    matches!(code, None | Some(0)) || code == Some(ended),
                    "{verb}: {said}"
                );
                // A signal that comes when all is done finds a verb that has done well.
                if out.status.success() && self.sh("grep -c 'INJECTED\\|SIGTERM' log || :") == "0\n"
                {
                    break;
                }
                times += 1;
                self.sh(then);
                let now = self.state();
                assert!(
                    now == before || now == after,
                    "{verb}, SIG{signal} at {call} {number}: {said}\n{now}\nbefore:\n{before}\nafter:\n{after}"
                );
            }
        }
        assert!(times > 1, "{verb} got {times} signals");
    }

    /// The steps that a verb takes.
    fn steps(&self, verb: &str) -> String {
        self.reset();
        self.sh(&format!(
            "{verb} --trace 2>&1 > /dev/null | jq -r .id | tr '\\n' ' '"
        ))
    }
}

#[test]
fn a_killed_load_leaves_nothing_after_gc() {
    Room::new().killed("runpack load two.tar -t new");
}

#[test]
fn an_interrupted_verb_leaves_nothing_by_itself() {
    let room = Room::new();
    room.interrupted("runpack load two.tar -t new");
    room.interrupted("runpack import a.tar new");
    room.interrupted("runpack unpack kept work/out");
    room.interrupted("runpack unpack kept work");
}

#[test]
fn an_interrupted_pack_or_removal_leaves_nothing_by_itself() {
    let room = Room::new();
    room.interrupted("runpack pack -t new --bin true");
    room.interrupted("runpack tag kept new");
}

#[test]
fn each_step_of_a_verb_is_one() {
    let room = Room::new();
    let swept = "image.remove blob.sweep layer.sweep temporary.sweep ";
    for (verb, steps) in [
        ("runpack load oci:lay:two -t new", "image.name "),
        (
            "rm -rf root; runpack load oci:lay:two -t new",
            "store.begin layer.take layer.take layer.place layer.place image.name ",
        ),
        (
            "rm -r root/images/unpacked/*; runpack load two.tar -t new",
            "store.begin layer.take layer.take layer.place layer.place image.name ",
        ),
        (
            "runpack import a.tar new",
            "store.begin layer.take layer.place image.name ",
        ),
        ("runpack pack -t new --bin true", "layer.write image.name "),
        ("runpack tag kept new", "image.tag "),
        ("runpack rmi kept", swept),
        ("runpack tag kept new; runpack rmi kept", "image.remove "),
    ] {
        assert_eq!(room.steps(verb), steps, "{verb}");
    }
}

/// `--explain` shows what is checked, and the script of a layout's load checks it too.
#[test]
fn a_layer_that_is_not_what_it_should_be_stops_the_script() {
    let room = Room::new();
    room.sh("rm -rf root; runpack load --dry-run oci:lay:two > script; grep -c 'sha256sum --check' script | grep -qx 2; grep -c 'a command of another step' script | grep -qx 3; sh script; runpack inspect lay:two");
    room.sh("rm -rf root; cp -r lay was; for f in lay/blobs/sha256/*; do printf x | dd of=$f bs=1 seek=30 conv=notrunc status=none; done");
    let out = room.try_sh("sh script");
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(
        !out.status.success() && said.contains("did NOT match"),
        "{said}"
    );
    assert!(!room.0.path("root").exists());
}

#[test]
fn a_killed_unpack_leaves_nothing_after_gc() {
    let room = Room::new();
    room.killed("runpack unpack kept work/out");
    // A directory that is there.
    room.killed("runpack unpack kept work");
    room.killed("runpack unpack --layout=bundle oci-archive:two.tar work/out");
}

#[test]
fn a_killed_import_pack_or_save_leaves_nothing_after_gc() {
    let room = Room::new();
    room.killed("runpack import a.tar new");
    room.killed("runpack pack -t new --bin true");
    room.killed("runpack save -o work/saved.tar kept");
}

#[test]
fn a_killed_tag_or_rmi_leaves_an_old_or_a_new_index() {
    let room = Room::new();
    room.killed("runpack tag kept new");
    room.killed("runpack rmi kept");
}

#[test]
fn the_script_of_a_dry_run_leaves_the_same() {
    let room = Room::new();
    let verbs = [
        "runpack load two.tar -t new",
        "runpack load oci:lay:two -t new",
        "runpack load --platform linux/amd64 oci-archive:two.tar",
        "runpack unpack kept work/out",
        "runpack unpack kept work",
        "runpack unpack --layout=overlay kept work/out",
        "runpack unpack --layout=bundle oci-archive:two.tar work/out",
        "runpack import a.tar new",
        "runpack pack -t new --bin true",
        "runpack save -o work/saved.tar kept",
        "runpack tag kept new",
        "runpack rmi kept",
        "runpack gc",
    ];
    for verb in verbs {
        room.reset();
        room.sh("echo left > root/images/tmp/left");
        let before = room.state();
        room.sh(&format!("{verb} --dry-run > script"));
        assert_eq!(room.state(), before, "{verb} --dry-run changed something");
        room.sh("dash script > /dev/null");
        let by_script = room.state();
        room.reset();
        room.sh("echo left > root/images/tmp/left");
        room.sh(verb);
        assert_eq!(room.state(), by_script, "{verb}");
        assert_ne!(by_script, before, "{verb} changes nothing");
    }
}

/// What is garbage when a script is printed may be in use when it runs.
#[test]
fn the_script_of_gc_leaves_what_is_used_again() {
    let room = Room::new();
    room.sh("cp -r root/images/blobs blobs && cp -r root/images/unpacked unpacked && cp root/images/index.json i && runpack rmi kept
        cp -r blobs/. root/images/blobs && cp -r unpacked/. root/images/unpacked && touch root/images/tmp/left
        runpack gc --dry-run > script && cp i root/images/index.json && sh script > said
        [ ! -e root/images/tmp/left ] && runpack unpack kept out && rm -r root/images/unpacked/* && runpack unpack kept again");
}

/// The files of an image are whole on the disk before a name says that they are.
#[test]
fn what_is_named_is_on_the_disk() {
    let room = Room::new();
    for verb in [
        "runpack load oci:lay:two -t new",
        "runpack import a.tar new",
        "runpack pack -t new --bin true",
    ] {
        room.sh("rm -rf root run log");
        room.sh(&format!(
            "strace -f -y -qq -o log -e trace=fdatasync,fsync,rename {verb} && sed -i \"s,$PWD/root/images/,,g\" log"
        ));
        let log = room.sh("cat log");
        let mut synced = Vec::new();
        let mut blobs = 0;
        for line in log.lines() {
            if let Some((_, file)) = line.split_once("sync(").and_then(|_| line.split_once('<')) {
                synced.push(file.split('>').next().unwrap());
            } else if let Some((_, names)) = line.split_once("rename(\"") {
                let names: Vec<&str> = names.split('"').collect();
                let (from, to) = (names[0], names[2]);
                if to.starts_with("blobs/sha256/") {
                    blobs += 1;
                    assert!(synced.contains(&from), "{verb}: {line}\n{log}");
                } else if to == "index.json" {
                    assert!(synced.contains(&from), "{verb}: {line}\n{log}");
                    assert!(
                        blobs == 0 || synced.contains(&"blobs/sha256"),
                        "{verb}\n{log}"
                    );
                }
            }
        }
        assert!(blobs > 2, "{verb}\n{log}");
        // The rename itself, last of all.
        assert!(
            synced.last().unwrap().ends_with("root/images"),
            "{verb}\n{log}"
        );
    }
}

#[test]
fn save_writes_to_a_device_and_leaves_it_one() {
    let room = Room::new();
    room.sh("mkfifo work/pipe && { cat work/pipe > work/tar & } && runpack save -o work/pipe kept && wait
        test -p work/pipe && tar -tf work/tar | grep -qx index.json");
}
