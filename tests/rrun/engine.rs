//! What the engine makes of what it is given: standard input, mounts onto links and in any order, a /dev of the host's,
//! hostile files of users, the names of shared networks.

use kit_test::Host;

#[test]
fn standard_input_can_be_opened_anew_and_ends() {
    let host = Host::new();
    let run = "timeout 60 rrun run --rm -i --net none tools";
    for (fed, program, said) in [
        ("data", "sleep 0.2; cat /dev/stdin; echo end", "data\nend\n"),
        (
            "data",
            "sleep 0.2; cat /proc/self/fd/0; cat /dev/stdin",
            "data\n",
        ),
        ("data", "cat; cat /dev/stdin; cat /dev/fd/0", "data\n"),
    ] {
        let out = host.ok(&format!("echo {fed} | {run} sh -c '{program}'"));
        assert_eq!(out, said, "{program}");
    }
    assert_eq!(
        host.ok(&format!("echo 'echo read' | {run} sh /dev/stdin")),
        "read\n"
    );
    let script = "</dev/null timeout 60 rrun run --rm --net none tools cat /dev/stdin";
    assert_eq!(host.ok(script), "");
}

/// The program's user owns what /dev/stdout leads to, or opening it is refused.
#[test]
fn standard_output_and_error_can_be_opened_anew_by_every_user() {
    let host = Host::new();
    host.ok("rrun run -d --name box --net none tools sleep 1000");
    for user in ["", "-u 7", "-u 7:8"] {
        for way in [
            format!("run --rm {user} --net none tools"),
            format!("exec {user} box"),
        ] {
            let program = "id -u; echo out >/dev/stdout; echo fd >/proc/self/fd/1; echo err >/dev/stderr; echo fd >/proc/self/fd/2";
            let id = if user.is_empty() { "0" } else { "7" };
            assert_eq!(
                host.outcome(&format!("timeout 60 rrun {way} sh -ec '{program}'")),
                (0, format!("{id}\nout\nfd\n"), "err\nfd\n".to_owned()),
                "{way}"
            );
        }
    }
    host.ok("rrun run -d --name said -u 7 --net none tools sh -ec 'echo out >/dev/stdout; echo err >/dev/stderr'");
    assert_eq!(host.ok("rrun wait said"), "0\n");
    let logged = host.outcome("rrun logs said");
    assert_eq!(logged, (0, "out\n".to_owned(), "err\n".to_owned()));
}

#[test]
fn the_standard_input_of_an_exec_can_be_opened_anew_and_ends() {
    let host = Host::new();
    host.ok("rrun run -d --name box --net none tools sleep 1000");
    for user in ["", "-u 7"] {
        let exec = format!("timeout 60 rrun exec -i {user} box sh");
        for program in [
            "sleep 0.2; cat /dev/stdin; echo end",
            "sleep 0.2; cat /proc/self/fd/0; cat /dev/stdin; echo end",
            "cat; cat /dev/stdin; cat /dev/fd/0; echo end",
        ] {
            let out = host.ok(&format!("echo data | {exec} -c '{program}'"));
            assert_eq!(out, "data\nend\n", "{user} {program}");
        }
        let read = host.ok(&format!("echo 'echo read' | {exec} /dev/stdin"));
        assert_eq!(read, "read\n", "{user}");
    }
    let script = "echo data | timeout 60 rrun exec box cat /dev/stdin";
    assert_eq!(host.ok(script), "");
}

/// An image "links", in which /etc/resolv.conf, /etc/hosts, /p and /v are links to what it does not have.
pub fn import_links(host: &Host) {
    host.ok("mkdir fs; rrun create --name box tools id; rrun bundle box b >/dev/null
             cp -a b/rootfs/. fs; rrun bundle --umount box b; rrun rm box
             rm -f fs/etc/resolv.conf fs/etc/hosts
             ln -s ../run/systemd/resolve/stub-resolv.conf fs/etc/resolv.conf; ln -s /no/such/hosts fs/etc/hosts
             ln -s /not/there fs/p; ln -s q/deep fs/v; tar -C fs -c . | rrun import - links >/dev/null");
}

#[test]
fn what_a_link_of_the_image_leads_to_is_made_inside() {
    let host = Host::new();
    import_links(&host);
    host.ok("mkdir data; touch data/here; rrun run -d --name front -h front --net none tools sleep 1000");
    for net in ["none", "bridge", "host", "container:front"] {
        host.ok(&format!(
            "rrun run -d --rm --name box --net {net} -v $PWD/data:/p -v named:/v links sleep 1000"
        ));
        // Of the container whose network it is.
        let of = net.strip_prefix("container:").unwrap_or("box");
        let file =
            |key: &str| host.ok(&format!("cat \"$(rrun inspect -f '{{{{.{key}}}}}' {of})\""));
        let (resolv, hosts) = (file("ResolvConfPath"), file("HostsPath"));
        assert!(hosts.contains("localhost"), "{net}: {hosts}");
        for (paths, text) in [
            (
                "/etc/resolv.conf /run/systemd/resolve/stub-resolv.conf",
                resolv,
            ),
            ("/etc/hosts /no/such/hosts", hosts),
        ] {
            let seen = host.ok(&format!("rrun exec box cat {paths}"));
            assert_eq!(seen, text.repeat(2), "{net} {paths}");
        }
        let out = host.ok("rrun exec box sh -c 'ls /not/there /p; touch /v/made; ls /q/deep'");
        assert_eq!(out, "/not/there:\nhere\n\n/p:\nhere\nmade\n", "{net}");
        host.ok("rrun rm -f box");
    }
    assert_eq!(host.code("[ -e /no/such ] || [ -e /not/there ]"), 1);
    assert_eq!(host.ok("ls root/volumes/named/_data"), "made\n");
}

#[test]
fn mounts_are_made_from_the_top_down_whatever_their_order() {
    let host = Host::new();
    host.ok("mkdir A B; touch A/of-a B/of-b file");
    let run = "rrun run --rm --net none";
    for flags in [
        "-v $PWD/A:/a/b -v $PWD/B:/a",
        "-v $PWD/B:/a -v $PWD/A:/a/b",
        "--mount type=bind,src=$PWD/A,dst=/a/b --mount type=bind,src=$PWD/B,dst=/a",
    ] {
        assert_eq!(
            host.ok(&format!("{run} {flags} tools ls /a/b")),
            "of-a\n",
            "{flags}"
        );
    }
    let below = format!("{run} -v $PWD/file:/t/file --tmpfs /t tools ls /t");
    assert_eq!(host.ok(&below), "file\n");
}

#[test]
fn a_dev_of_the_hosts_is_taken_as_it_is() {
    let host = Host::new();
    host.ok("mkdir D; touch D/mine");
    assert_eq!(
        host.ok("rrun run --rm --net none -v $PWD/D:/dev tools ls /dev"),
        "mine\n"
    );
    host.ok("rrun run --rm --net none -t -v $PWD/D:/dev tools sh -c '[ -t 0 ]'");
    host.ok(
        "rrun run -d --name box --net none -v $PWD/D:/dev tools sleep 1000; rrun exec -t box sh -c '[ -t 0 ]'",
    );
    assert_eq!(host.ok("ls -A D"), "mine\n");
    let of_the_host = "rrun run --rm --net none -t -v /dev:/dev tools readlink /proc/self/fd/0";
    assert!(host.ok(of_the_host).starts_with("/dev/pts/"));
    assert!(
        host.ok("rrun run --rm --net none -t tools readlink /proc/self/fd/0")
            .starts_with("/dev/pts/0")
    );
}

#[test]
fn a_containers_cpus_are_its_cpusets_not_its_callers() {
    let host = Host::new();
    let allowed = "grep Cpus_allowed_list /proc/self/status";
    let all = host.ok(allowed);
    let cpus = all.split_whitespace().last().unwrap();
    if !cpus.contains(['-', ',']) {
        let test = "a_containers_cpus_are_its_cpusets_not_its_callers";
        return kit_test::skip(test, "there is one CPU only");
    }
    let one = cpus.split(['-', ',']).next().unwrap();
    for flag in [format!("--cpuset-cpus {cpus}"), String::new()] {
        let run = format!("taskset -c {one} rrun run --net none {flag}");
        assert_eq!(host.ok(&format!("{run} --rm tools {allowed}")), all);
        host.ok(&format!("{run} -d --name box tools sleep 1000"));
        assert_eq!(
            host.ok(&format!("taskset -c {one} rrun exec box {allowed}")),
            all
        );
        host.ok("rrun rm -f box");
    }
}

#[test]
fn who_shares_a_network_has_the_name_that_goes_with_it() {
    let host = Host::new();
    let ours = host.ok("readlink /proc/self/ns/uts");
    let names = "sh -c 'hostname; echo $HOSTNAME; cat /etc/hostname'";
    let name = host.ok("hostname");
    assert_eq!(
        host.ok(&format!("rrun run --rm --net host tools {names}")),
        format!("{name}{name}{name}")
    );
    assert_ne!(
        host.ok("rrun run --rm --net host tools readlink /proc/self/ns/uts"),
        ours
    );
    host.ok("rrun run -d --name web -h front --net none tools sleep 1000");
    assert_eq!(
        host.ok(&format!("rrun run --rm --net container:web tools {names}")),
        "front\nfront\nfront\n"
    );
    assert_eq!(
        host.ok("rrun run --rm --net host -h own tools hostname"),
        "own\n"
    );
}

#[test]
fn nothing_is_mounted_inside_proc() {
    let host = Host::new();
    host.ok("mkdir A; echo replaced >file");
    let refused = |flag: &str, at: &str, why: &str| {
        let (code, _, said) = host.outcome(&format!("rrun run --rm --net none {flag} tools id"));
        let said = said.lines().next().unwrap_or_default().to_owned();
        assert_eq!(
            (code, said),
            (125, format!("rrun: mounting at \"{at}\": {why}")),
            "{flag}"
        );
    };
    for flag in [
        "-v $PWD/A:/proc/sys",
        "--tmpfs /proc/sys",
        "--tmpfs /proc/new",
    ] {
        refused(
            flag,
            flag.rsplit([':', ' ']).next().unwrap(),
            "it is inside /proc",
        );
    }
    refused("-v $PWD/A:/proc", "/proc", "only a procfs may be there");
    let replaced = "rrun run --rm --net none -v $PWD/file:/proc/cpuinfo -v /proc:/proc tools cat /proc/cpuinfo";
    assert_eq!(host.ok(replaced), "replaced\n");
}

#[test]
fn a_file_on_a_directory_is_told_as_that() {
    let host = Host::new();
    host.ok("mkdir A; touch file");
    for (flag, why) in [
        (
            "A:/etc/passwd",
            "the source is a directory and this is a file: are you trying to mount a directory onto a file?",
        ),
        (
            "file:/tmp",
            "the source is a file and this is a directory: are you trying to mount a file onto a directory?",
        ),
    ] {
        let (from, to) = flag.split_once(':').unwrap();
        let from = host.path().join(from);
        let script = format!("rrun run --rm --net none -v $PWD/{flag} tools id");
        let (code, _, said) = host.outcome(&script);
        assert_eq!(code, 125);
        let line = format!("rrun: binding {from:?} to \"{to}\": {why}\n");
        assert!(said.starts_with(&line), "{said}");
    }
    let (code, _, said) = host.outcome("rrun run --rm --net none --tmpfs /etc/passwd tools id");
    let line = "rrun: mounting tmpfs at \"/etc/passwd\": this is a file, and only a directory can be mounted over by a new file system\n";
    assert_eq!((code, said.as_str()), (125, line));
}

#[test]
fn hostile_files_of_users_hold_up_nobody() {
    let host = Host::new();
    host.ok("rrun run -d --name box --net none tools sleep 1000");
    let etc = host.ok("echo /proc/$(rrun inspect -f '{{.State.Pid}}' box)/root/etc");
    let etc = etc.trim();
    for (make, why) in [
        ("mkfifo", "is not a regular file"),
        ("mkdir", "is not a regular file"),
        ("truncate -s 8G", "is larger than 10 MiB"),
    ] {
        host.ok(&format!(
            "rm -rf {etc}/passwd {etc}/group; {make} {etc}/passwd {etc}/group"
        ));
        let said = format!("rrun: unable to find user web: /etc/passwd of the container {why}\n");
        let (code, _, told) = host.outcome("timeout 30 rrun exec -u web box id");
        assert!(told.starts_with(&said) && code != 124, "{code}: {told}");
        let group = host.outcome("timeout 30 rrun exec -u 1:web box id").2;
        let said = format!("rrun: unable to find group web: /etc/group of the container {why}\n");
        assert!(group.starts_with(&said), "{group}");
        let home = host.ok("timeout 30 rrun exec -u 7:8 box sh -c 'echo $HOME'");
        assert_eq!(home, "/\n");
    }
    let latin = "printf 'Jos\\351:x:1:1::/:\nweb:x:33:34::/w\\351b:\n'";
    host.ok(&format!("rm {etc}/passwd {etc}/group; {latin} >{etc}/passwd; printf 'Jos\\351:x:5:web\n' >{etc}/group"));
    assert_eq!(host.ok("rrun exec -u web box id -G"), "34 5\n");
    let home = "rrun exec -u web box sh -c 'echo $HOME' | od -An -c | tr -d ' \n'";
    assert_eq!(host.ok(home), "/w351b\\n");
}

#[test]
fn a_fifo_of_an_images_in_a_files_place_holds_up_no_start_and_no_bundle() {
    let host = Host::new();
    host.ok(
        "rrun create --name box --net none tools id; rrun bundle box b >/dev/null
             mkdir fs; cp -a b/rootfs/. fs; rrun bundle --umount box b; rrun rm box
             rm -f fs/etc/passwd; mkdir -p fs/etc; mkfifo fs/etc/passwd fs/fifo; chmod 755 fs/fifo
             tar -C fs -c . | rrun import - hostile >/dev/null",
    );
    let run = "timeout 30 rrun run --rm --net none";
    assert_eq!(host.ok(&format!("{run} hostile sh -c 'echo $HOME'")), "/\n");
    let (code, _, said) = host.outcome(&format!("{run} -u web hostile sh -c :"));
    let refused = "unable to find user web: /etc/passwd of the container is not a regular file";
    assert!(code == 125 && said.contains(refused), "{code}: {said}");
    assert_eq!(host.code(&format!("{run} hostile /fifo")), 126);
    host.ok("rrun create --name box -u web hostile id");
    let (code, _, said) = host.outcome("timeout 30 rrun bundle box there");
    assert!(code == 1 && said.contains(refused), "{code}: {said}");
}
