//! What a beginner types after a tutorial, word for word, with `rrun` for `docker`: the same words, the same echo.

#![allow(clippy::unwrap_used)] // a test that cannot go on says where

use kit_test::Host;

/// The words of a session, each with what it prints; `{id}` is any ID, `{…}` any text up to the end of a line.
const SESSION: [(&str, &str); 24] = [
    ("docker load -i tools.tar", "Loaded image: tools:latest\n"),
    (
        "docker images | awk '{ print $1, $2 }'",
        "REPOSITORY TAG\ntools latest\n",
    ),
    ("docker run --rm tools hostname -s", "{id}\n"),
    (
        "docker run -d --name web -p 8080:80 tools socat TCP-LISTEN:80,fork,reuseaddr EXEC:hostname",
        "{id}\n",
    ),
    ("docker ps | awk 'NR > 1 { print $2, $NF }'", "tools web\n"),
    ("docker ps -q", "{id}\n"),
    (
        "for i in 1 2 3 4 5 6 7 8 9; do socat -T2 - TCP:127.0.0.1:8080 </dev/null 2>/dev/null && break; sleep 0.1; done",
        "{id}\n",
    ),
    (
        "docker port web",
        "80/tcp -> 0.0.0.0:8080\n80/tcp -> [::]:8080\n",
    ),
    ("docker exec web sh -c 'echo $0 inside'", "sh inside\n"),
    (
        "sleep 1 | script -qec 'docker exec -it web id -u' /dev/null",
        "0\r\n",
    ),
    (
        "docker inspect -f '{{.State.Running}} {{.Name}} {{.HostConfig.NetworkMode}}' web",
        "true /web bridge\n",
    ),
    (
        "docker run --name said tools sh -c 'echo out; echo err >&2'",
        "out\n",
    ),
    ("docker logs said 2>&1", "out\nerr\n"),
    ("docker stop -t 0 web", "web\n"),
    ("docker ps -q", ""),
    ("docker ps -a | awk '{ print $NF }'", "NAMES\nsaid\nweb\n"),
    ("docker start web", "web\n"),
    ("docker inspect -f '{{.State.Status}}' web", "running\n"),
    ("docker restart -t 0 web", "web\n"),
    ("docker kill web", "web\n"),
    ("docker wait web", "137\n"),
    ("docker rm web said", "web\nsaid\n"),
    ("docker ps -aq", ""),
    (
        "docker rmi tools",
        "Untagged: tools:latest\nDeleted: sha256:{id}\n",
    ),
];

#[test]
fn a_beginners_session_goes_word_for_word() {
    let host = Host::new();
    host.ok("runpack save tools >tools.tar; runpack rmi tools; mkdir bin");
    std::os::unix::fs::symlink(
        kit_test::binaries().join("rrun"),
        host.path().join("bin/docker"),
    )
    .unwrap();
    for (typed, printed) in SESSION {
        let got = host.ok(&format!("PATH=$PWD/bin:$PATH; {typed}"));
        assert!(matches(&got, printed), "{typed}: {got:?}, not {printed:?}");
    }
}

fn matches(got: &str, wanted: &str) -> bool {
    let Some((before, after)) = wanted.split_once("{id}") else {
        return got == wanted;
    };
    let Some(rest) = got.strip_prefix(before) else {
        return false;
    };
    let id = rest
        .find(|c: char| !c.is_ascii_hexdigit())
        .unwrap_or(rest.len());
    (id == 12 || id == 64) && &rest[id..] == after
}
