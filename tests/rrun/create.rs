//! The making of a container: its volumes, its files, its name; as a script, and when it fails half-way.

use kit_test::Host;

/// What there is of containers, with file contents; IDs, times and generated names are made the same.
fn made(host: &Host) -> String {
    let ids = r"s/boxkit-[0-9a-f]+/INSTANCE/g; s/[0-9a-f]{62,64}/ID/g; s/[0-9a-f]{12}/SHORT/g; s/20[0-9-]+T[0-9:.]+Z/TIME/g; s/[a-z]+_[a-z]+$/NAME/; s/,$//";
    host.ok(&format!(
        "cd root; {{ find containers names volumes images/pins trash layers ../run/transient -printf '%p %y %m %s %l\n'
         find containers names images/pins ../run/transient -type f -exec cat {{}} +; }} 2>/dev/null |
         sed -E '{ids}; s,/tmp/[^/]*/,/tmp/HOST/,g' | sort"
    ))
}

const CREATE: &str = "rrun create --name box -e A=b -l x=y -v named:/etc -v /anon -v $PWD/given:/given:create=dir \
                      --cidfile $PWD/cid -p 8080:80 tools sh -c 'ls -A /etc /anon /given'";

#[test]
fn a_dry_run_makes_nothing_and_its_script_the_same() {
    let states = [
        CREATE.to_owned(),
        CREATE.replace("create ", "create --dry-run ") + " >s",
    ]
    .map(|create| {
        let host = Host::new();
        // What every command leaves there.
        host.ok("mkdir -m 700 -p root run");
        let before = host.files("root run");
        let said = host.ok(&create);
        if said.is_empty() {
            assert_eq!(host.files("root run"), before);
            assert_eq!(host.code("ls cid given"), 2);
            host.ok("sh -e s");
        }
        let state = made(&host) + &host.ok("find given -printf '%y %m\n'; wc -c <cid");
        assert_eq!(host.ok("rrun ps -aq --no-trunc"), host.ok("cat cid; echo"));
        let (listed, wanted) = (
            host.ok("rrun start -a box"),
            host.ok("rrun run --rm tools ls -A /etc"),
        );
        assert!(
            listed.starts_with(&format!("/anon:\n\n/etc:\n{wanted}")),
            "{listed}"
        );
        host.ok("rrun rm -v box");
        assert_eq!(host.ok("ls root/volumes; ls root/images/pins"), "named\n");
        state
    });
    assert_eq!(states[0], states[1]);
    assert!(
        states[0].contains("volumes/named/_data/passwd f 644"),
        "{}",
        states[0]
    );
}

#[test]
fn a_container_of_a_directory_is_made_by_its_script_as_well() {
    let create = "rrun create --name box --rootfs $PWD/dir -v /anon -v named:/n -- sh";
    let states = [
        create.to_owned(),
        create.replace("create ", "create --dry-run ") + " >s; sh -e s; rm s",
    ]
    .map(|create| {
        let host = Host::new();
        host.ok(&format!("mkdir -m 700 -p dir root run; {create}"));
        made(&host)
    });
    assert_eq!(states[0], states[1]);
    let layer = "layers/INSTANCE/ID d 755";
    assert!(states[0].contains(layer), "{}", states[0]);
}

#[test]
fn a_run_as_a_script_makes_what_it_needs_and_keeps_what_is_to_last() {
    let host = Host::new();
    let run = "--name box --net none -v named:/etc -v /anon tools sh -c 'ls -d /etc/passwd /anon; exit 4'";
    host.ok(&format!(
        "rrun run --dry-run --rm {run} >rm.sh; rrun run --dry-run {run} >keep.sh"
    ));
    let (code, out, said) = host.outcome("BOXKIT_PARTIAL=1 sh rm.sh");
    assert_eq!((code, out.as_str()), (4, "/anon\n/etc/passwd\n"), "{said}");
    let left = "find root run -mindepth 1 -path root/images -prune -o -path root/volumes/named -prune -o ! -type d -print -o -name '????????????????*' -print; \
                ls root/images/pins root/images/tmp";
    assert_eq!(host.ok(left), "root/images/pins:\n\nroot/images/tmp:\n");
    host.ok("rm -r root/volumes");
    let (code, _, said) = host.outcome("BOXKIT_PARTIAL=1 sh keep.sh");
    assert_eq!(code, 4, "{said}");
    assert_eq!(
        host.ok("rrun ps -a --format '{{.Names}} {{.State}}'"),
        "box created\n"
    );
    assert_eq!(host.code("rrun start -a box"), 4);
    host.ok("rrun rm -v box");
    // Its name is somebody's: that one keeps it, and the script leaves nothing of its own.
    host.ok("rrun create --name box tools sh; rrun gc");
    let before = made(&host);
    assert_ne!(host.code("BOXKIT_PARTIAL=1 sh rm.sh"), 0);
    assert_eq!(made(&host), before);
}

#[test]
fn what_fails_half_way_is_undone() {
    let host = Host::new();
    host.ok("rrun create --name box tools sh; mkdir -m 700 -p root/trash; rrun gc");
    let before = made(&host);
    let new = "-v named:/etc -v /anon -v $PWD/given/deep:/given:create=dir --cidfile $PWD/cid";
    let (code, out, said) = host.outcome(&format!("rrun create --name box {new} tools sh"));
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(
        said.starts_with("rrun: naming a container \"box\": container "),
        "{said}"
    );
    assert_eq!(host.code("ls cid given"), 2);
    // A named volume is shared from the moment it is there.
    assert_eq!(host.ok("ls -A root/volumes"), "named\n");
    host.ok("rm -r root/volumes; echo other >cid");
    assert_eq!(made(&host), before);
    let (code, _, said) = host.outcome(&format!("rrun run --name new {new} tools sh"));
    assert_eq!(code, 125);
    assert!(said.contains("hint: rm "), "{said}");
    assert_eq!(host.ok("cat cid"), "other\n");
    assert_eq!(made(&host), before);
}

#[test]
fn a_new_volume_is_what_the_image_shows_there() {
    let host = Host::new();
    host.ok("runpack save -o t.tar tools; skopeo copy -q docker-archive:t.tar oci:lay:t
             mkdir -p one/sub two/sub three; echo a >one/a; echo low >one/sub/low; ln -s /data/sub one/link; chmod 2750 one/sub
             echo gone >one/gone; touch -d @1000000000 one/a; chown 7:8 one/a; mkfifo one/pipe");
    let key = |path: &str| host.path().join(path);
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::lsetxattr(key("one/a"), "user.k", b"v", flags).unwrap();
    host.ok("umoci insert --image lay:t one /data; echo up >two/sub/up; umoci insert --image lay:t --opaque two/sub /data/sub
             umoci insert --image lay:t --whiteout /data/gone; runpack load -t three oci:lay:t");
    let list = |dir: &str| {
        host.ok(&format!(
            "cd {dir}; find . ! -name . -printf '%P %y %m %U:%G %l\n' | sort; stat -c %Y a"
        ))
    };
    host.ok("rrun create -v vol:/data three sh");
    let expected = host.ok("rrun run --rm three ls -A /data");
    assert_eq!(expected, "a\nlink\npipe\nsub\n");
    let native = list("root/volumes/vol/_data");
    assert!(
        native.contains("sub/up") && !native.contains("low") && !native.contains("gone"),
        "{native}"
    );
    assert!(
        native.contains("a f 644 7:8") && native.contains("1000000000"),
        "{native}"
    );
    let mut value = [0; 8];
    let read = rustix::fs::lgetxattr(key("root/volumes/vol/_data/a"), "user.k", &mut value[..]);
    assert_eq!(&value[..read.unwrap()], b"v");
    host.ok("rrun create --dry-run -v other:/data three sh >s; sh -e s");
    assert_eq!(list("root/volumes/other/_data"), native);
    // By way of a link of the image's, which stays inside.
    host.ok("rrun create -v third:/data/link three sh");
    assert_eq!(host.ok("ls root/volumes/third/_data"), "up\n");
}
