//! `rrun`: what its flags, its images and its programs can be that they should not.

use kit_test::Host;

use crate::{Row, all, packed_host};

const BAD: &[Row] = &[
    ("rrun", 2, "rrun: no verb given: see rrun --help"),
    (
        "rrun frobnicate",
        2,
        "rrun: \"frobnicate\" is not a verb of rrun\nhint: see rrun --help",
    ),
    (
        "rrun rum tools",
        2,
        "rrun: \"rum\" is not a verb of rrun\nhint: did you mean \"run\"? See rrun --help",
    ),
    (
        "rrun run --rm",
        125,
        "rrun: missing IMAGE\nhint: rrun images shows them; see rrun run --help",
    ),
    (
        "rrun run --rm nosuch id",
        125,
        "rrun: finding image \"nosuch\": not in the store\nhint: rrun images lists the images; rrun load FILE adds one; runpack pack -t NAME --bin PROGRAM makes one of this machine's programs",
    ),
    (
        "rrun run --rm Tools id 2>&1 | head -n1 >&2; exit 125",
        125,
        "rrun: reading image name \"Tools\": the repository must be lower case",
    ),
    (
        "rrun run --rm tools:9 id 2>&1 | head -n1 >&2; exit 125",
        125,
        "rrun: finding image \"tools:9\": not in the store",
    ),
    (
        "rrun run --rm -p 99999:80 tools id",
        125,
        "rrun: invalid hostPort: 99999",
    ),
    (
        "rrun run --rm -p 80:80:80:80 tools id",
        125,
        "rrun: invalid IP address: 80:80",
    ),
    (
        "rrun run --rm -p 8080:80 -p 127.0.0.1:8080:81 tools id",
        125,
        "rrun: publishing port \"8080/tcp\": it is given twice\nhint: a port of the host leads to one port of a container: choose another",
    ),
    (
        "rrun run --rm --name a/b tools id",
        125,
        "rrun: invalid container name (a/b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
    ),
    (
        "rrun run --rm -m 4k tools id",
        125,
        "rrun: Minimum memory limit allowed is 6MB",
    ),
    (
        "rrun run --rm -p x tools id",
        125,
        "rrun: invalid containerPort: x",
    ),
    (
        "rrun run --rm -v /no/such:/x tools id",
        125,
        "rrun: mounting \"/no/such\": no such file or directory on this host\nhint: mkdir -p /no/such makes a directory, mkdir -p /no && touch /no/such an empty file",
    ),
    (
        "rrun run --rm -v rel/x:/x tools id",
        125,
        "rrun: \"rel/x\" includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path",
    ),
    (
        "rrun run --rm -v data:rel tools id",
        125,
        "rrun: invalid mount path: 'rel' mount path must be absolute",
    ),
    (
        "rrun run --rm --name -x tools id",
        125,
        "rrun: invalid container name (-x), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
    ),
    (
        "rrun run --rm tools nosuch",
        127,
        "rrun: executing \"nosuch\": no such command on PATH /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nhint: give its path, like /usr/bin/env: PATH is the image's, or that of -e PATH=…",
    ),
    (
        "rrun run --rm -v $PWD/data:/d tools /d/plain",
        126,
        "rrun: executing \"/d/plain\": it is not executable\nhint: chmod +x it in the image",
    ),
    (
        "rrun run --rm -v $PWD/data:/d tools /d/lost",
        126,
        "rrun: executing \"/d/lost\": its interpreter \"/no/such/interpreter\" is not in the container",
    ),
    (
        "rrun run --rm -v $PWD/data:/d tools /d/foreign",
        126,
        "rrun: executing \"/d/foreign\": it is a program for s390x, and this machine is {arch}\nhint: use an image for this machine",
    ),
    (
        "rrun run --rm -v $PWD/data:/d tools /d/garbage",
        126,
        "rrun: executing \"/d/garbage\": it is neither a program nor a script that begins with #!",
    ),
    (
        "rrun run --rm tools /etc",
        126,
        "rrun: executing \"/etc\": it is a directory",
    ),
    (
        "rrun run --rm -w /etc/passwd tools id",
        125,
        "rrun: entering working directory \"/etc/passwd\": Not a directory",
    ),
    (
        "rrun run --rm -u nosuch tools id",
        125,
        "rrun: unable to find user nosuch: no matching entries in passwd file",
    ),
    (
        "rrun run --rm -m 1x tools id",
        125,
        "rrun: invalid size: '1x'",
    ),
    (
        "rrun run --rm -m 1k tools id",
        125,
        "rrun: Minimum memory limit allowed is 6MB",
    ),
    (
        "rrun run --rm --cap-add NOSUCH tools id",
        125,
        "rrun: unknown capability: \"NOSUCH\"",
    ),
    (
        "rrun run --rm --net nosuch tools id",
        125,
        "rrun: network nosuch not found\nhint: the networks are bridge, none, host, container:NAME and ns:NETNS",
    ),
    (
        "rrun run --rm --net container:nosuch tools id",
        125,
        "rrun: No such container: nosuch\nhint: rrun ps -a shows them all",
    ),
    (
        "rrun run --rm --net ns:nosuch tools id",
        125,
        "rrun: opening network namespace \"nosuch\": no such namespace\nhint: rnetns list shows them; rnetns add nosuch makes it",
    ),
    (
        "rrun run --rm --security-opt nosuch tools id",
        125,
        "rrun: invalid --security-opt: \"nosuch\"\nhint: no-new-privileges, seccomp=unconfined, seccomp=FILE",
    ),
    (
        "rrun run --rm --ulimit nosuch=1 tools id",
        125,
        "rrun: invalid ulimit type: nosuch",
    ),
    (
        "rrun run --rm --oom-score-adj 1001 tools id",
        125,
        "rrun: invalid value 1001, range for oom score adj is [-1000, 1000]",
    ),
    (
        "rrun create --oom-score-adj -1001 tools id",
        2,
        "rrun: invalid value -1001, range for oom score adj is [-1000, 1000]",
    ),
    (
        "rrun run --rm --rootfs /no/such id",
        125,
        "rrun: using root \"/no/such\": No such file or directory",
    ),
    (
        "rrun run --rm -e = tools id",
        125,
        "rrun: invalid environment variable: =",
    ),
    (
        "rrun run --rm --env-file /no/such tools id",
        125,
        "rrun: reading --env-file \"/no/such\": No such file or directory",
    ),
    (
        "rrun run --rm --cidfile data/plain tools id",
        125,
        "rrun: writing --cidfile \"data/plain\": File exists\nhint: rm data/plain removes the file",
    ),
    (
        "rrun run --rm --cidfile /dev/null tools id",
        125,
        "rrun: writing --cidfile \"/dev/null\": File exists\nhint: give the name of a file that is not there yet",
    ),
    (
        "rrun run -it --rm tools id </dev/null",
        1,
        "rrun: the input device is not a TTY\nhint: leave out -t when input comes from a pipe",
    ),
    (
        "rrun run -d -a stdin tools id",
        125,
        "rrun: Conflicting options: -a and -d",
    ),
    (
        "rrun run --rm --detach-keys ctrl-? tools id",
        125,
        "rrun: invalid detach keys: \"ctrl-?\"\nhint: like ctrl-p,ctrl-q, or one letter",
    ),
    (
        "rrun exec nosuch id",
        1,
        "rrun: No such container: nosuch\nhint: rrun ps -a shows them all",
    ),
    (
        "rrun stop nosuch",
        1,
        "rrun: No such container: nosuch\nhint: rrun ps -a shows them all",
    ),
    (
        "rrun rm nosuch",
        1,
        "rrun: No such container: nosuch\nhint: rrun ps -a shows them all",
    ),
    (
        "rrun wait nosuch",
        1,
        "rrun: No such container: nosuch\nhint: rrun ps -a shows them all",
    ),
    (
        "rbridge add sixteencharacter",
        2,
        "rbridge: naming link \"sixteencharacter\": an interface name has at most 15 characters\nhint: \"sixteencharacte\" would do",
    ),
    (
        "BOXKIT_ROOT=$PWD/open rrun run --rm tools id",
        125,
        "rrun: using root directory \"{dir}/open\": others can write to it\nhint: chmod 0700 {dir}/open",
    ),
    (
        "BOXKIT_ROOT=/dev/null/x rrun run --rm tools id",
        125,
        "rrun: making root directory \"/dev/null/x\": Not a directory",
    ),
    (
        "chmod 755 .; setpriv --reuid=65534 --clear-groups rrun run --rm tools id; code=$?; chmod 700 .; exit $code",
        125,
        "rrun: managing containers: root is needed, and we are user 65534\nhint: run it with sudo",
    ),
    (
        "setpriv --bounding-set=-net_admin --inh-caps=-net_admin rrun run --rm tools id",
        125,
        "rrun: creating link \"{bridge}\": Operation not permitted\nhint: root without CAP_NET_ADMIN: run it outside the sandbox that took that away; see rrun doctor",
    ),
    (
        "BOXKIT_ROOT=$PWD/other rrun load bad.tar",
        1,
        "rrun: loading \"bad.tar\": layer 1 of 1: checking blob: expected sha256:{id}, got sha256:{id}\nhint: the content is not what its name promises; fetch the image again",
    ),
    (
        "rrun load data/garbage",
        1,
        "rrun: loading \"data/garbage\": it is too short for an archive\nhint: an image is an archive of skopeo, podman save or docker save",
    ),
    (
        // Filled here: what a monitor that was leaving had open is free by now.
        "head -c 100m /dev/zero >small/fill 2>/dev/null; BOXKIT_ROOT=$PWD/small rrun run tools id",
        125,
        r#"rrun: write "{dir}/small/images/pins/{id}": No space left on device
hint: {dir}/small is full: rrun rm, rrun rmi and rrun gc make room, or BOXKIT_ROOT moves it elsewhere"#,
    ),
];

const PREPARE: &str = r"
echo 'echo hi' >data/plain; printf '#!/no/such/interpreter\n' >data/lost
cp $(command -v sleep) data/foreign; printf '\026\000' | dd of=data/foreign bs=1 seek=18 conv=notrunc 2>/dev/null
printf 'garbage garbage' >data/garbage; chmod 755 data/lost data/garbage
runpack save tools >bad.tar; printf XXXXXXXX | dd of=bad.tar bs=1 seek=$(( $(stat -c %s bad.tar) / 2 )) conv=notrunc 2>/dev/null
mkdir -m 777 open; chmod 777 open
mkdir -m 700 other small; mount -t tmpfs -o size=100m,mode=700 none small
cp -a root/images small/; mkdir -m 700 small/containers small/names small/trash
BOXKIT_ROOT=$PWD/small rrun run --rm tools id; BOXKIT_ROOT=$PWD/small rrun gc
touch small/fill
rrun run --rm --rootfs / --net host true; rrun gc";

#[test]
fn each_is_told_its_cause_and_leaves_nothing() {
    let host = packed_host();
    host.ok(PREPARE);
    all(&host, BAD);
}

/// Those that need a container that runs.
#[test]
fn a_living_neighbour_is_named_and_not_harmed() {
    let host = Host::new();
    let id = host.ok("rrun run -d --name web -p 8080:80 tools sleep 1000");
    let short = &id[..12];
    let bad = [
        ("rrun run --rm --name web tools id", 125, format!("rrun: naming a container \"web\": container {short} has that name\nhint: rrun rm -f web removes that one; rrun rename web web-old gives it another name\n")),
        ("rrun rename web web", 1, format!("rrun: naming a container \"web\": container {short} has that name\nhint: rrun rm -f web removes that one; rrun rename web web-old gives it another name\n")),
        ("rrun rm web", 1, "rrun: removing container \"web\": it is running\nhint: rrun rm -f web removes it though it runs\n".to_owned()),
        ("rrun exec web nosuch", 127, "rrun: executing \"nosuch\": no such command on PATH /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nhint: give its path, like /usr/bin/env: PATH is the image's, or that of -e PATH=…\n".to_owned()),
        ("rrun kill -s NOSUCH web", 2, "rrun: invalid signal: NOSUCH\n".to_owned()),
        ("rrun rmi tools", 1, "rrun: removing image \"tools\": it is used by container \"web\"\nhint: rrun rm -f web removes it; or --force, which takes the image's name alone\n".to_owned()),
    ];
    for (typed, code, said) in bad {
        assert_eq!(host.outcome(typed), (code, String::new(), said), "{typed}");
    }
    // A port that another container has, and one that a stranger has.
    host.ok("socat TCP-LISTEN:8081,fork EXEC:true >/dev/null 2>&1 & echo $! >pid; until ss -Hltn | grep -q :8081; do sleep 0.05; done");
    for (flag, holder, way_out) in [
        (
            "8080:80",
            "8080/tcp\": container \"web\" has it",
            "rrun stop web ends that one; or ",
        ),
        (
            "127.0.0.1:8080:80",
            "127.0.0.1:8080/tcp\": container \"web\" has it",
            "rrun stop web ends that one; or ",
        ),
        (
            "8081:80",
            "8081/tcp\": \"socat\" (PID ",
            "stop that one, or ",
        ),
    ] {
        let (code, _, said) = host.outcome(&format!("rrun run --rm -p {flag} tools id"));
        assert_eq!(code, 125);
        let begins = format!("rrun: publishing port \"{holder}");
        assert!(said.starts_with(&begins), "{said}");
        let ends = format!(" has it\nhint: {way_out}choose another port, or let -P choose\n");
        assert!(said.ends_with(&ends), "{said}");
    }
    host.ok("kill $(cat pid)");
    assert_eq!(host.ok("rrun exec web id -u"), "0\n");
}

/// As docker, the client goes and the container stays; what is executed in one finds its pipe closed.
#[test]
fn a_reader_that_goes_ends_the_client_and_a_full_disk_is_told() {
    let host = Host::new();
    let endless = "sh -c 'while :; do echo x; done'";
    let head = |run: &str| {
        host.ok(&format!(
            "timeout 10 {run} {endless} 2>said | head -n1; cat said"
        ))
    };
    assert_eq!(
        head("rrun run --rm --name web tools"),
        "x\nrrun: writing to standard output: its reader has gone, and container \"web\" still runs\n\
         hint: rrun stop web ends it, rrun logs web shows what it says; its log grows without a bound meanwhile\n"
    );
    assert_eq!(
        host.ok("rrun ps --format '{{.Names}}' || rrun ps").trim(),
        "web"
    );
    assert_eq!(head("rrun exec web"), "x\n");
    host.until("[ $(rrun exec web ps -e | grep -c ' sh$') = 1 ]");
    let alone = "rrun: writing to standard output: No space left on device";
    let goes_on = format!(
        "{alone}, and container \"full\" still runs\n\
         hint: rrun stop full ends it, rrun logs full shows what it says; its log grows without a bound meanwhile\n"
    );
    for (run, told) in [
        ("rrun run --rm --name full tools", goes_on),
        ("rrun exec web", format!("{alone}\n")),
    ] {
        assert_eq!(
            host.outcome(&format!("timeout 10 {run} ls / >/dev/full")),
            (125, String::new(), told),
            "{run}"
        );
    }
    host.ok("rrun kill web");
}
