//! Volumes that outlive containers, and the verbs on them.

use kit_test::Host;

/// As with docker, `rm -f` leaves an anonymous volume, `rm -v` and `--rm` take it along; `volume prune` takes what
/// was left.
#[test]
fn a_volume_without_a_name_goes_when_docker_removes_it() {
    let host = Host::new();
    let count = || host.ok("ls root/volumes | wc -l").trim().to_owned();
    host.ok("rrun run --rm --net none -v /a -v named:/n tools id >out");
    assert_eq!(count(), "1");
    host.ok("rrun create --name one -v /a tools id; rrun rm -v one");
    assert_eq!(count(), "1");
    host.ok("rrun create --name two -v /a tools id; rrun rm -f two");
    host.ok("rrun create --name three -v /a -v named:/n tools id");
    assert_eq!(count(), "3");
    assert_eq!(
        host.ok("rrun volume ls -q -f dangling=true | wc -l").trim(),
        "1"
    );
    let (code, out, said) = host.outcome("echo n | rrun volume prune");
    assert_eq!(
        (code, out.as_str(), count().as_str()),
        (1, "", "3"),
        "{said}"
    );
    let dangling = host.ok("rrun volume ls -q -f dangling=true");
    assert_eq!(host.ok("rrun volume prune -f"), dangling);
    assert_eq!(count(), "2");
    // Those with a name are asked for; what a container uses stays.
    host.ok("rrun run --rm --net none -v other:/n tools id >out");
    assert_eq!(host.ok("rrun volume prune -f"), "");
    assert_eq!(host.ok("echo y | rrun volume prune -a 2>said"), "other\n");
    assert_eq!(host.ok("rrun volume ls -q | tail -n 1"), "named\n");
    // A monitor deletes files after it has reported the end.
    host.until("[ -z \"$(ls -A root/trash)\" ]");
}

/// docker's defaults are rw, noexec, nosuid and nodev; a word that is given wins.
#[test]
fn a_tmpfs_has_the_options_that_are_given_last() {
    let host = Host::new();
    let at = |options: &str| {
        host.ok(&format!(
            "rrun run --rm --net none --tmpfs /x{options} tools grep -o ' /x [^ ]*' /proc/self/mountinfo"
        ))
    };
    assert_eq!(at(""), " /x rw,nosuid,nodev,noexec,relatime\n");
    assert_eq!(at(":exec,size=1m"), " /x rw,nosuid,nodev,relatime\n");
    assert_eq!(at(":suid,dev,ro"), " /x ro,noexec,relatime\n");
    let script = host.ok("rrun run --rm --net none --dry-run --tmpfs /x:exec tools id");
    assert!(
        script.contains("mount -t tmpfs -o nosuid,nodev,exec tmpfs "),
        "{script}"
    );
    let (code, _, said) = host.outcome("rrun run --rm --net none --tmpfs /x:bogus tools id");
    assert_eq!(code, 125);
    assert_eq!(
        said.lines().next(),
        Some("rrun: mounting tmpfs at \"/x\": tmpfs does not take option \"bogus\"")
    );
}

#[test]
fn a_volume_that_is_used_stays() {
    let host = Host::new();
    host.ok("rrun create --name box -v data:/d tools id");
    let used = "rrun: removing volume \"data\": container \"box\" uses it\nhint: rrun rm -f box removes the container, whose files are lost with it\n";
    assert_eq!(
        host.outcome("rrun volume rm data"),
        (1, String::new(), used.to_owned())
    );
    let none = "rrun: removing volume \"dat\": no such volume\nhint: did you mean \"data\"? rrun volume ls shows them all\n";
    assert_eq!(
        host.outcome("rrun volume rm dat"),
        (1, String::new(), none.to_owned())
    );
    assert_eq!(
        host.outcome("rrun volume rm -f dat"),
        (0, String::new(), String::new())
    );
    assert_eq!(
        host.ok("rrun volume ls"),
        "DRIVER    VOLUME NAME\nlocal     data\n"
    );
    let listed = host.ok("rrun volume ls --jsonl");
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let data = host.root().join("volumes/data/_data");
    assert_eq!(listed["Mountpoint"], data.to_str().unwrap());
    host.ok("rrun rm box; rrun volume rm --dry-run data >s");
    assert_eq!(host.ok("ls root/volumes"), "data\n");
    host.ok("sh -e s");
    assert_eq!(
        host.ok("ls -A root/volumes root/trash"),
        "root/trash:\n\nroot/volumes:\n"
    );
    host.ok("rrun create --name box -v data:/d tools id; rrun rm box");
    assert_eq!(
        host.ok("rrun volume ls --jsonl | rrun volume rm -"),
        "data\n"
    );
    // A table's head deletes nothing.
    assert_eq!(host.code("rrun volume ls | rrun volume rm -"), 2);
}

/// What is inside /proc hides from programs what they look for there.
#[test]
fn nothing_is_mounted_inside_proc() {
    let host = Host::new();
    for path in ["/proc", "/proc/sys", "/proc/1/attr"] {
        let (code, _, said) =
            host.outcome(&format!("rrun run --rm --net none -v /tmp:{path} tools id"));
        assert!(
            code == 125 && said.contains("mounting at \"/proc"),
            "{path}: {code} {said}"
        );
    }
}

/// As docker's: a name by a regular expression, a driver as it is, labels all of them.
#[test]
fn volumes_are_chosen_by_filters() {
    let host = Host::new();
    host.ok("rrun run -d --name web --net none -v db-data:/a -v data:/b -v /c tools sleep 1000; rrun create -v data2:/d tools id; rrun rm $(rrun ps -aq -f status=created)");
    let anonymous = host.ok("rrun volume ls -q | grep -v data");
    for (filters, names) in [
        ("-f name=data", "data\ndata2\ndb-data\n"),
        ("-f name=^data", "data\ndata2\n"),
        ("-f name=^data$ -f name=^db-", "data\ndb-data\n"),
        ("-f name=data -f dangling=true", "data2\n"),
        (
            "-f name=data -f dangling=0 -f driver=local -f driver=nfs",
            "data\ndb-data\n",
        ),
        ("-f driver=nfs", ""),
        ("-f label=com.docker.volume.anonymous", anonymous.as_str()),
        ("-f label=com.docker.volume.anonymous -f label=x", ""),
    ] {
        assert_eq!(
            host.ok(&format!("rrun volume ls -q {filters} | sort")),
            names,
            "{filters}"
        );
    }
    let keys = "name=REGEX, driver=local, label=K[=V], dangling=true or dangling=false";
    for (filters, wrong, hint) in [
        ("-f web", "web", keys),
        ("-f size=1", "size=1", keys),
        ("-f dangling=maybe", "dangling=maybe", keys),
        (
            "-f dangling=1 -f dangling=0",
            "dangling=0",
            "a volume is in use or is not: give one of the two",
        ),
    ] {
        let said = format!("rrun: invalid filter '{wrong}'\nhint: {hint}\n");
        assert_eq!(
            host.outcome(&format!("rrun volume ls {filters}")),
            (2, String::new(), said)
        );
    }
}

/// As docker: a volume that exists and is empty would hide what the image has there. One with files is left as it is.
#[test]
fn an_empty_volume_is_filled_by_the_next_container() {
    let host = Host::new();
    host.ok("mkdir -p tree/app/sub; echo kept >tree/app/sub/file; ln tree/app/sub/file tree/app/other; chown 7:8 tree/app; chmod 2750 tree/app
        tar -C tree -c . | runpack import - app >/dev/null");
    let seen = || {
        host.ok("cd root/volumes/data; stat -c '%a %u:%g' _data; find _data | sort; ls -A root/volumes 2>/dev/null || :")
    };
    let is = |data: &str| assert_eq!(seen(), data);
    // For the image `tools` there is no such directory.
    host.ok("rrun create -v data:/app tools true; rrun create -v data:/app:nocopy app /none");
    is("755 0:0\n_data\n");
    let script = host.ok("rrun create --dry-run -v data:/app app /none");
    assert!(
        script.contains("Copy what the image has at /app into volume data"),
        "{script}"
    );
    is("755 0:0\n_data\n");
    host.ok("rrun create --name filled -v data:/app app /none");
    let full = "2750 7:8\n_data\n_data/other\n_data/sub\n_data/sub/file\n";
    is(full);
    assert_eq!(
        host.ok("stat -c %h root/volumes/data/_data/other; ls -A root/volumes"),
        "2\ndata\n"
    );
    // Also where an earlier mount of the same container has nothing for it.
    host.ok("rrun create -v twice:/none -v twice:/app app /none");
    assert_eq!(host.ok("ls root/volumes/twice/_data"), "other\nsub\n");
    // The script does the same.
    host.ok("find root/volumes/data/_data -mindepth 1 -delete; chown 0:0 root/volumes/data/_data; rrun create --dry-run -v data:/app app /none | sh");
    is(full);
    // What is in it is kept, and the rest of the image's is not added.
    host.ok("rm -r root/volumes/data/_data/sub; chmod 700 root/volumes/data/_data; rrun create -v data:/app app /none");
    is("2700 7:8\n_data\n_data/other\n");
}

/// As docker: what another container mounts is not taken away with the one that it was made for.
#[test]
fn an_anonymous_volume_that_another_container_mounts_stays() {
    let host = Host::new();
    for end in ["rrun stop -t 0 one", "rrun rm -f -v one", "rrun kill one"] {
        host.ok("rrun run -d --rm --name one --net none -v /data tools sh -c 'echo kept >/data/file; sleep 1000'
            until rrun exec one cat /data/file >/dev/null 2>&1; do sleep 0.05; done
            rrun run -d --name two --net none -v $(rrun inspect -f '{{(index .Mounts 0).Name}}' one):/data tools sleep 1000");
        host.ok(end);
        host.until("! rrun inspect one >/dev/null 2>&1");
        host.ok("rrun gc");
        assert_eq!(host.ok("rrun exec two cat /data/file"), "kept\n", "{end}");
        host.ok("rrun rm -f two; rrun volume prune -f");
        assert_eq!(host.ok("rrun volume ls -q"), "", "{end}");
    }
}

/// The name is of 255 bytes, which is what a file may have; and of an earlier volume of that name something is left.
#[test]
fn a_volume_is_removed_whatever_lies_in_the_trash() {
    let host = Host::new();
    let long = "v".repeat(255);
    host.ok(&format!(
        "rrun rm $(rrun create -v {long}:/d -v data:/e tools id)"
    ));
    host.ok("mkdir -p root/trash/volume.data/file");
    assert_eq!(
        host.ok(&format!("rrun volume rm {long} data; rrun volume ls -q")),
        format!("{long}\ndata\n")
    );
    host.ok("rrun gc");
    assert_eq!(host.ok("ls -A root/trash"), "");
}

/// docker: "path … is mounted on … but it is not a shared mount".
#[test]
fn a_volume_that_is_to_share_its_mounts_needs_a_shared_mount() {
    let host = Host::new();
    let run = |of_host: &str, word: &str| {
        host.outcome(&format!(
            "unshare -m --propagation {of_host} rrun run --rm --net none -v $PWD:/data:{word} tools id"
        ))
    };
    for word in ["shared", "rshared", "slave", "rslave"] {
        let (code, out, said) = run("private", word);
        assert_eq!((code, out.as_str()), (125, ""), "{word}");
        let (line, hint) = said.split_once('\n').unwrap();
        assert!(
            line.starts_with("rrun: mounting \"") && line.ends_with(", which is private"),
            "{said}"
        );
        assert!(hint.starts_with("hint: mount --make-rshared "), "{said}");
        assert_eq!(run("shared", word).0, 0, "{word}");
    }
    assert_eq!(run("private", "rprivate").0, 0);
}
