//! Whole systems as their users run them: a Debian of its own packages, with redis and nginx in it, and a busybox of
//! one file. The Debian is made from the mirror once, and kept in the target directory by its list of packages.

use std::path::PathBuf;
use std::process::Command;

use kit_test::Host;

const PACKAGES: &str = "redis-server,nginx-light,procps,iputils-ping,apt";
const SUITE: &str = "bookworm";
/// Says what a server says to one request, however slowly it does.
const ASK: &str = "ask() { printf \"$2\" | socat -t 10 -T 10 - TCP:127.0.0.1:$1 2>ask.err; }";

/// The root's tar, or why there is none. Tests that want it at once make it once.
fn debian() -> Result<PathBuf, String> {
    let name = format!("debian-{SUITE}-{}", PACKAGES.replace(',', "-"));
    let tar = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name + ".tar");
    let make = format!(
        "exec 9>\"$1.lock\"; flock 9; [ ! -s \"$1\" ] || exit 0; \
         mmdebstrap --quiet --variant=essential --include={PACKAGES} --dpkgopt=force-unsafe-io {SUITE} - >\"$1.part\" && mv \"$1.part\" \"$1\""
    );
    let out = Command::new("sh")
        .args(["-c", &make, "sh"])
        .arg(&tar)
        .output()
        .unwrap();
    if out.status.success() {
        return Ok(tar);
    }
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    let last = said.lines().rev().find(|line| line.starts_with("E:"));
    Err(last.unwrap_or("mmdebstrap failed").to_owned())
}

/// A host with the image "debian", unless there is no Debian to be had.
fn with_debian(test: &str) -> Option<Host> {
    // Before the host leaves this machine's network.
    match debian() {
        Err(why) => {
            kit_test::skip(test, &format!("no Debian root: {why}"));
            None
        }
        Ok(tar) => {
            let host = Host::bare();
            let id = host.ok(&format!("rrun import {} debian", tar.display()));
            assert!(id.starts_with("sha256:"), "{id}");
            Some(host)
        }
    }
}

#[test]
fn a_debian_is_at_home() {
    let Some(host) = with_debian("debian::a_debian_is_at_home") else {
        return;
    };
    let inside = |command: &str| host.ok(&format!("rrun run --rm debian {command}"));
    assert_eq!(inside("id -un"), "root\n");
    assert_eq!(
        inside("dpkg-query -W -f '${Status}' redis-server"),
        "install ok installed"
    );
    assert!(inside("apt-get check").contains("Building dependency tree"));
    assert_eq!(
        inside("su -s /bin/sh nobody -c 'id -un; echo $HOME'"),
        "nobody\n/nonexistent\n"
    );
    let all = inside("ps -eo pid,comm --no-headers");
    assert_eq!(all.trim(), "1 ps");
    assert!(inside("df --output=target,fstype /").contains("overlay"));
    assert!(inside("ping -c1 -W3 127.0.0.1").contains(" 0% packet loss"));
    // What is typed at a terminal, and what comes back over it.
    host.ok("rrun run -d --name box debian sleep 1000");
    let typed = "(sleep 1; echo 'tty; id -un; stty size; exit 5') | script -qec 'rrun exec -it box bash' typescript";
    let (code, out, said) = host.outcome(typed);
    assert_eq!(code, 5, "{out}{said}");
    assert!(
        out.contains("/dev/pts/") && out.contains("root\r\n"),
        "{out}"
    );
    let typed =
        "(sleep 1; echo 'tty; exit 6') | script -qec 'rrun run --rm -it debian bash' typescript";
    let (code, out, said) = host.outcome(typed);
    assert_eq!(code, 6, "{out}{said}");
    assert!(
        out.contains("/dev/pts/0") || out.contains("/dev/console"),
        "{out}"
    );
}

#[test]
fn redis_answers_stops_by_itself_and_keeps_its_data() {
    let Some(host) = with_debian("debian::redis_answers_stops_by_itself_and_keeps_its_data") else {
        return;
    };
    let run = "rrun run -d --name db -u redis -v data:/var/lib/redis -p 127.0.0.1:6379:6379 debian \
               redis-server --protected-mode no --save 900 1 --dir /var/lib/redis";
    let ping = format!("{ASK}; ask 6379 'PING\\r\\n' | grep +PONG");
    host.ok(run);
    assert_eq!(host.until(&ping), "+PONG\r\n");
    assert_eq!(host.ok("rrun exec db id -un"), "redis\n");
    assert_eq!(
        host.ok("rrun exec db stat -c %U:%G /var/lib/redis"),
        "redis:redis\n"
    );
    let said = host.ok(&format!("{ASK}; ask 6379 'SET it kept\\r\\n'"));
    assert_eq!(said, "+OK\r\n");
    // One who follows the log sees its last line, and is done when it is done.
    host.ok("timeout 60 rrun logs -f db >followed 2>&1 & echo $! >follower");
    // By itself, with all the time it wants: its exit code is not 137.
    host.ok("rrun stop -t 60 db");
    assert_eq!(host.ok("rrun inspect -f '{{.State.ExitCode}}' db"), "0\n");
    host.until("! kill -0 $(cat follower)");
    let followed = host.ok("cat followed");
    assert!(followed.contains("Received SIGTERM"), "{followed}");
    assert!(followed.contains("ready to exit, bye bye"), "{followed}");

    let kept = format!("{ASK}; ask 6379 'GET it\\r\\n' | grep kept");
    host.ok("rrun start db");
    assert_eq!(host.until(&kept), "kept\r\n");
    host.ok("rrun restart db");
    assert_eq!(host.until(&kept), "kept\r\n");
    host.ok("rrun stop db; rrun rm db");
    host.ok(run);
    assert_eq!(host.until(&kept), "kept\r\n");
    host.ok("rrun rm -f db");
    assert_eq!(host.ok("rrun ps -aq"), "");
}

#[test]
fn nginx_serves_a_directory_of_the_hosts() {
    let Some(host) = with_debian("debian::nginx_serves_a_directory_of_the_hosts") else {
        return;
    };
    host.ok("mkdir www; echo the page >www/index.html; chmod 755 . www");
    host.ok("rrun run -d --name web -p 127.0.0.1:8080:80 -v $PWD/www:/var/www/html:ro debian nginx -g 'daemon off;'");
    let page = format!("{ASK}; ask 8080 'GET / HTTP/1.0\\r\\n\\r\\n' | grep -e '^the' -e '^HTTP'");
    assert_eq!(host.until(&page), "HTTP/1.1 200 OK\r\nthe page\n");
    host.ok("echo the second >www/index.html");
    assert!(host.until(&page).ends_with("the second\n"));
    // Its workers are another user's, and it ends as it is asked to: gracefully, by the image's own signal.
    let users = host.ok("rrun exec web ps -eo user=,comm= --sort=pid");
    assert!(
        users.starts_with("root     nginx\nwww-data nginx\n"),
        "{users}"
    );
    assert_eq!(host.code("rrun exec web touch /var/www/html/x"), 1);
    host.ok("rrun stop web");
    assert_eq!(host.ok("rrun inspect -f '{{.State.ExitCode}}' web"), "0\n");
    assert_ne!(host.code(&page), 0);
}

#[test]
fn its_bundle_runs_under_runc_and_crun() {
    let Some(host) = with_debian("debian::its_bundle_runs_under_runc_and_crun") else {
        return;
    };
    host.ok("rrun create --name box --network none -u redis debian sh -c 'id -un; redis-server --version | cut -c 1-12; echo $$'");
    host.ok("rrun bundle box here");
    let id = format!("debian-{}", std::process::id());
    let run = format!("--root $PWD/state run -b here {id} </dev/null");
    // crun refuses a hybrid host, so it is not shown the v2 part of one.
    let hide = "! mountpoint -q /sys/fs/cgroup/unified || umount /sys/fs/cgroup/unified";
    for peer in [
        format!("runc {run}"),
        format!("unshare -m sh -c '{hide}; crun --cgroup-manager=disabled {run}'"),
        "rrun start -a box".to_owned(),
    ] {
        if peer.starts_with("rrun") {
            host.ok("rrun bundle --umount box here");
        }
        assert_eq!(host.ok(&peer), "redis\nRedis server\n1\n", "{peer}");
    }
}

#[test]
fn a_busybox_is_one_file_and_its_names() {
    let host = Host::bare();
    host.ok(
        "mkdir -p bb/bin bb/www bb/etc; cp /bin/busybox bb/bin/; echo from busybox >bb/www/index.html
         for name in $(busybox --list); do [ $name = busybox ] || ln -s busybox bb/bin/$name; done
         tar -C bb -c . | rrun import - busybox",
    );
    assert_eq!(host.ok("rrun run --rm busybox echo hi"), "hi\n");
    assert_eq!(host.ok("rrun run --rm busybox id -u"), "0\n");
    let typed =
        "(sleep 1; echo 'tty; exit 4') | script -qec 'rrun run --rm -it busybox sh' typescript";
    let (code, out, said) = host.outcome(typed);
    assert_eq!(code, 4, "{out}{said}");
    assert!(
        out.contains("/dev/pts/0") || out.contains("/dev/console"),
        "{out}"
    );
    host.ok("rrun run -d --name web -p 127.0.0.1:8081:80 busybox httpd -f -h /www");
    let page = format!("{ASK}; ask 8081 'GET / HTTP/1.0\\r\\n\\r\\n' | grep from");
    assert_eq!(host.until(&page), "from busybox\n");
    // It has no handler for SIGTERM, and is process 1: the kernel drops the signal, and the grace period ends it.
    host.ok("rrun stop -t 1 web");
    assert_eq!(
        host.ok("rrun inspect -f '{{.State.ExitCode}}' web"),
        "137\n"
    );
    host.ok("rrun rm web; rrun rmi busybox");
    assert_eq!(host.ok("rrun images -q"), "");
}
