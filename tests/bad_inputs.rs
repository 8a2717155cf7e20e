//! Bad inputs: each gives one line with the true cause, perhaps a hint, the right exit code, and leaves nothing.

#![allow(clippy::unwrap_used)] // a test that cannot go on says where

use std::time::{Duration, Instant};

use kit_plan::Roots;
use kit_test::Host;
use nix::sched::{CloneFlags, unshare};

/// What is typed, the exit code, and what it says; `{dir}` is the test's directory.
const BAD: [(&str, i32, &str); 48] = [
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
        "rrun: finding image \"nosuch\": not in the store\nhint: rrun images shows what is there; rrun load FILE brings one, runpack pack -t NAME --bin PROGRAM makes one, debootstrap DIR and tar -C DIR -c . | rrun import - NAME another",
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
        "rrun run --rm -p x tools id",
        125,
        "rrun: invalid containerPort: x",
    ),
    (
        "rrun run --rm -v /no/such:/x tools id",
        125,
        "rrun: mounting \"/no/such\": no such file or directory on this host\nhint: mkdir it, or let -v make it: -v /no/such:…:create=dir",
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
        "rrun: executing \"nosuch\": no such command on PATH /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nhint: give its path, or look with: ls inside the container",
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
        "rrun: writing --cidfile \"data/plain\": File exists\nhint: remove it, or the container it names, first",
    ),
    (
        "rrun run -it --rm tools id </dev/null",
        125,
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
        1,
        "rbridge: naming link \"sixteencharacter\": an interface name has at most 15 characters",
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
        "rrun: creating link \"{bridge}\": Operation not permitted\nhint: this needs root, with CAP_NET_ADMIN in that network namespace",
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
        "BOXKIT_ROOT=$PWD/small rrun run --rm tools id",
        125,
        r#"rrun: write "{dir}/small/images/pins/{id}": No space left on device"#,
    ),
];

/// A container's ID is another each time.
fn without_ids(text: &str) -> String {
    let is_id = |word: &&str| word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words
        .filter(is_id)
        .fold(text.to_owned(), |text, id| text.replace(id, "{id}"))
}

const PREPARE: &str = r"
mkdir data; echo 'echo hi' >data/plain; printf '#!/no/such/interpreter\n' >data/lost
cp $(command -v sleep) data/foreign; printf '\026\000' | dd of=data/foreign bs=1 seek=18 conv=notrunc 2>/dev/null
printf 'garbage garbage' >data/garbage; chmod 755 data/lost data/garbage
runpack save tools >bad.tar; printf XXXXXXXX | dd of=bad.tar bs=1 seek=$(( $(stat -c %s bad.tar) / 2 )) conv=notrunc 2>/dev/null
mkdir -m 777 open; chmod 777 open
mkdir -m 700 other small; mount --make-rprivate /; mount -t tmpfs -o size=100m,mode=700 none small
cp -a root/images small/; mkdir -m 700 small/containers small/names small/trash
BOXKIT_ROOT=$PWD/small rrun run --rm tools id; BOXKIT_ROOT=$PWD/small rrun gc
head -c 100m /dev/zero >small/fill 2>/dev/null || true
mkdir -p -m 700 root/trash root/containers root/names run/containers run/journals run/networks run/bare
rrun run --rm tools id; rrun run --rm --rootfs / --net host true; rrun gc";

#[test]
fn each_is_told_its_cause_and_leaves_nothing() {
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    let host = Host::new();
    host.ok(PREPARE);
    let left = "find . -not -path './*/images/*' -not -path './*/images' | sort; ip -br link | cut -d' ' -f1; nft list ruleset; findmnt -rn -o TARGET";
    let before = host.ok(left);
    let instance = Roots::at(host.root(), host.run_dir()).instance.name();
    let mut wrong = Vec::new();
    for (typed, code, said) in BAD {
        let (got, out, err) = host.outcome(typed);
        let err = without_ids(&err);
        let said = said
            .replace("{dir}", &host.path().display().to_string())
            .replace("{bridge}", &instance.replace("boxkit", "bk0"))
            .replace("{arch}", std::env::consts::ARCH);
        if (got, out.as_str(), err.trim_end()) != (code, "", said.as_str()) {
            wrong.push(format!(
                "{typed}: {got}, not {code}:\n{out}{err}not:\n{said}"
            ));
        }
        // What a run does after its report, and the network that is kept for the next run, gc waits for and removes.
        host.ok("rrun gc");
        // The kernel takes a namespace down, and the cables into it, in its own time.
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut new = String::from("unread");
        while !new.is_empty() && Instant::now() < deadline {
            let after = host.ok(left);
            new = after
                .lines()
                .filter(|line| !before.contains(line))
                .collect();
        }
        if !new.is_empty() {
            wrong.push(format!("{typed}: left {new}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Those that need a container that runs.
#[test]
fn a_living_neighbour_is_named_and_not_harmed() {
    let host = Host::new();
    let id = host.ok("rrun run -d --name web -p 8080:80 tools sleep 1000");
    let short = &id[..12];
    let bad = [
        ("rrun run --rm --name web tools id", 125, format!("rrun: naming a container \"web\": container {short} has that name\nhint: rrun rm web removes that one; rrun rename gives it another name\n")),
        ("rrun rename web web", 1, format!("rrun: naming a container \"web\": container {short} has that name\nhint: rrun rm web removes that one; rrun rename gives it another name\n")),
        ("rrun rm web", 1, "rrun: removing container \"web\": it is running\nhint: rrun stop web first, or rrun rm -f web\n".to_owned()),
        ("rrun exec web nosuch", 127, "rrun: executing \"nosuch\": no such command on PATH /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nhint: give its path, or look with: ls inside the container\n".to_owned()),
        ("rrun kill -s NOSUCH web", 2, "rrun: invalid signal: NOSUCH\n".to_owned()),
        ("rrun rmi tools", 1, format!("rrun: removing image \"tools\": it is used by \"{0}\"\nhint: remove {0} first, or --force to drop the name alone\n", id.trim())),
    ];
    for (typed, code, said) in bad {
        assert_eq!(host.outcome(typed), (code, String::new(), said), "{typed}");
    }
    let (code, _, said) = host.outcome("rrun run --rm -p 8080:80 tools id");
    assert_eq!(code, 125);
    assert!(
        said.starts_with("rrun: publishing port \"8080/tcp\": \"rrun-monitor\" (PID "),
        "{said}"
    );
    assert!(
        said.ends_with(" has it\nhint: stop that one, or choose another port, or let -P choose\n"),
        "{said}"
    );
    assert_eq!(host.ok("rrun exec web id -u"), "0\n");
}
