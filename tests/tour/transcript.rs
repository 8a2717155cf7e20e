//! What a beginner types after a tutorial, word for word, with `rrun` for `docker`: the same words, the same echo.

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
        "for i in $(seq 100); do socat -t 10 - TCP:127.0.0.1:8080 </dev/null 2>/dev/null | grep . && break; sleep 0.1; done",
        "{id}\n",
    ),
    (
        "docker port web",
        "80/tcp -> 0.0.0.0:8080\n80/tcp -> [::]:8080\n",
    ),
    ("docker exec web sh -c 'echo $0 inside'", "sh inside\n"),
    // At the end of its input script(1) types a NUL: it comes when all is done.
    (
        "(until [ -e done ]; do sleep 0.05; done) | { script -qec 'docker exec -it web id -u' /dev/null; touch done; }",
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

/// What docker printed for the same words, time and names of our own making aside.
const ALIKE: [(&str, i32, &str); 16] = [
    (
        "docker images | sed 's/[0-9a-f]\\{12\\}.*/.../'",
        0,
        "REPOSITORY   TAG       IMAGE ID       CREATED   SIZE\ntools        latest    ...\n",
    ),
    (
        "docker run --detach=true --name=web --network none -e A=b tools sleep 1000 | wc -c",
        0,
        "65\n",
    ),
    (
        "docker ps | cut -c16-37; docker ps | sed 's/.*PORTS/PORTS/; 2s/.*  //'",
        0,
        "IMAGE     COMMAND     \ntools     \"sleep 1000\"\nPORTS     NAMES\nweb\n",
    ),
    ("docker create --name web tools sh", 1, ""),
    ("docker run --name web --network none tools sh", 125, ""),
    (
        "docker run -d --name bad --network none tools nosuch | wc -c",
        0,
        "65\n",
    ),
    (
        "docker ps -a -f name=bad --format '{{.Status}}'",
        0,
        "Created\n",
    ),
    ("docker run -it --rm tools sh </dev/null", 1, ""),
    ("docker exec -it web sh </dev/null", 1, ""),
    ("docker run --rm=true --tty=false tools id -u", 0, "0\n"),
    ("docker ps --all=true --quiet=true | wc -l", 0, "2\n"),
    (
        "docker create --name words --network none -v /v tools sh -c 'echo a; b' >id; docker ps -a --no-trunc -f name=words --format '{{.Command}}'",
        0,
        "\"sh -c 'echo a; b'\"\n",
    ),
    (
        "docker inspect -f '{{.Config.Env}} [{{.Config.WorkingDir}}] {{json .HostConfig.Binds}} {{.HostConfig.RestartPolicy.Name}} {{.HostConfig.LogConfig.Type}}' web",
        0,
        "[PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin A=b] [] null no json-file\n",
    ),
    (
        "docker inspect -f '{{json .Config.Volumes}}' words",
        0,
        "{\"/v\":{}}\n",
    ),
    (
        "docker image inspect -f '{{.RepoTags}} {{.Architecture}} {{.Os}}' tools",
        0,
        "[tools:latest] amd64 linux\n",
    ),
    (
        "docker rm --force=true -v web bad words",
        0,
        "web\nbad\nwords\n",
    ),
];

#[test]
fn columns_switches_and_exit_codes_are_dockers() {
    let host = Host::new();
    host.ok("mkdir bin");
    let docker = host.path().join("bin/docker");
    std::os::unix::fs::symlink(kit_test::binaries().join("rrun"), docker).unwrap();
    for (typed, code, printed) in ALIKE {
        let (got, out, said) = host.outcome(&format!("PATH=$PWD/bin:$PATH; {typed}"));
        assert_eq!((got, out.as_str()), (code, printed), "{typed}: {said}");
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
