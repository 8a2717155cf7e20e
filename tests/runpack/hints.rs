//! What a hint says to type, typed: each command is in the hint letter by letter, and does what the hint promises.

use kit_test::Host;

struct Row {
    /// What is refused.
    typed: &'static str,
    /// What the hint has; `{HERE}` is the directory.
    hinted: &'static str,
    /// What is typed then; `{}` is what the hint has.
    then: &'static str,
    /// What must hold afterwards.
    holds: &'static str,
}

const fn row(
    typed: &'static str,
    hinted: &'static str,
    then: &'static str,
    holds: &'static str,
) -> Row {
    Row {
        typed,
        hinted,
        then,
        holds,
    }
}

/// What a hint leaves to its reader.
const PLACES: [(&str, &str); 4] = [
    ("NAME", "made"),
    ("PROGRAM", "sh id"),
    ("REGISTRY", "r.example"),
    ("FILE", "file"),
];

/// The image `made` is there, and runs; likewise `new`, of which there are archives.
const MADE: &str = "rrun run --rm --net none made id -u && runpack rmi made";
const NEW: &str = "rrun run --rm --net none new id -u && runpack rmi new";

/// In place of a registry the layout `registry`, with an archive for its tags; who logs in is told the flags alone. In place of the web this
/// directory.
const STAND_INS: &str = r#"mkdir stand tmp; real=$(command -v skopeo)
cat >stand/skopeo <<END
#!/bin/sh
verb=\$1
for word; do
    case \$verb:\$word in
    list-tags:docker://*) word=docker-archive:file ;;
    *:docker://*) word=oci:registry:\${word#docker://} ;;
    esac
    shift
    set -- "\$@" "\$word"
done
case \$verb in login | logout) set -- "\$@" --help ;; esac
exec $real "\$@"
END
printf '#!/bin/sh\n[ "$1" = -fsSL ] && exec cat "${2##*/}"\n' >stand/curl
chmod +x stand/skopeo stand/curl"#;

/// A host with the image `alpine`, and with an archive of the image `new`.
fn host() -> Host {
    let host = Host::bare();
    host.ok(&format!(
        "set -eu; {STAND_INS}
        runpack pack -t new --bin sh id --cmd id; runpack save -o file new; runpack tag new alpine; runpack rmi new
        skopeo copy -q docker-archive:file oci:registry:new"
    ));
    host
}

fn each_works(host: &Host, rows: &[Row]) {
    let here = host.ok("pwd -P");
    let here = |text: &str| text.replace("{HERE}", here.trim_end());
    let first = "PATH=$PWD/stand:$PATH; export TMPDIR=$PWD/tmp";
    for row in rows {
        let (code, _, said) = host.outcome(&format!("{first}; {}", row.typed));
        assert_ne!(code, 0, "{}", row.typed);
        let hinted = here(row.hinted);
        let hint = said.lines().find_map(|line| line.strip_prefix("hint: "));
        assert!(
            hint.is_some_and(|hint| hint.contains(&hinted)),
            "{}: {hinted:?} is not in {said}",
            row.typed
        );
        let mut then = here(row.then).replace("{}", &hinted);
        for (place, value) in PLACES {
            then = then.replace(place, value);
        }
        let holds = here(row.holds);
        let (code, out, said) = host.outcome(&format!("{first}; set -e; {then}\n{holds}"));
        assert_eq!(code, 0, "{}: {then}: {out}{said}", row.typed);
    }
    assert_eq!(host.ok("ls tmp"), "");
}

const PULL: &str = "skopeo copy -q docker://new docker-archive:/dev/stdout:new | runpack load";

#[rustfmt::skip] // a line or two each
const OF_DOCKER: [Row; 13] = [
    row("runpack pull new", PULL, "{}", NEW),
    row("runpack load docker://new", PULL, "{}", NEW),
    row("runpack pull localhost:5000/new",
        "skopeo copy -q --src-tls-verify=false docker://localhost:5000/new docker-archive:/dev/stdout:localhost:5000/new | runpack load",
        "skopeo copy -q docker://new docker://localhost:5000/new; {}", "runpack rmi localhost:5000/new"),
    row("runpack push new",
        "(file=$(mktemp); trap 'rm -f $file' EXIT; runpack save -o $file new && skopeo copy docker-archive:$file docker://new)",
        "runpack load file; rm -r registry; {}", "runpack rmi new; skopeo inspect --config docker://new | jq -e '.config.Cmd == [\"id\"]'"),
    row("runpack push localhost:5000/new",
        "(file=$(mktemp); trap 'rm -f $file' EXIT; runpack save -o $file localhost:5000/new && skopeo copy --dest-tls-verify=false docker-archive:$file docker://localhost:5000/new)",
        "runpack load file -t localhost:5000/new; {}", "runpack rmi localhost:5000/new; skopeo inspect docker://localhost:5000/new"),
    row("runpack search new", "skopeo list-tags docker://new", "{}", ""),
    row("runpack search 127.0.0.1/new", "skopeo list-tags --tls-verify=false docker://127.0.0.1/new", "{}", ""),
    row("runpack login", "skopeo login REGISTRY", "{}", ""),
    row("runpack login localhost:5000", "skopeo login --tls-verify=false localhost:5000", "{}", ""),
    row("runpack logout r.example", "skopeo logout r.example", "{}", ""),
    row("runpack build -t x .", "runpack pack -t NAME --bin PROGRAM", "{}", MADE),
    row("runpack run alpine", "rrun run alpine", "[ \"$({})\" = \"$(rrun run alpine id)\" ]", ""),
    row("runpack create alpine", "rrun create alpine", "rrun start -a $({})", ""),
];

#[test]
fn what_is_said_of_dockers_other_verbs_is_what_to_type() {
    each_works(&host(), &OF_DOCKER);
}

#[rustfmt::skip] // a line or two each
const OF_FILES: [Row; 12] = [
    row("runpack load https://h/file", "curl -fsSL https://h/file | runpack load", "{}", NEW),
    row("runpack import https://h/tree.tar", "curl -fsSL https://h/tree.tar | runpack import - NAME", "{}", MADE),
    row("runpack load file.xz", "xz -dc file.xz | runpack load -", "{}", NEW),
    row("runpack import tree.tar.bz2 made", "bzip2 -dc tree.tar.bz2 | runpack import - made:latest", "{}", MADE),
    row("runpack import tree.tar.bz2", "bzip2 -dc tree.tar.bz2 | runpack import - NAME", "{}", MADE),
    row("runpack load tree", "tar -C tree -c . | runpack import - NAME makes an image", "tar -C tree -c . | runpack import - NAME", MADE),
    row("runpack load 'a b'", "tar -C 'a b' -c . | runpack import - NAME", "{}", MADE),
    row("runpack load tree.tar", "runpack import tree.tar NAME", "{}", MADE),
    row("runpack load odd.tar", "runpack import odd.tar NAME", "{}", "runpack rmi made"),
    row("runpack load docker-archive:oci.tar", "oci-archive:oci.tar", "runpack load {} -t new", NEW),
    row("runpack load arm", "--platform linux/s390x", "runpack load {} arm -t made", "runpack rmi made"),
    row("runpack load two.tar -t made", "leave out -t", "runpack rmi alpine other; runpack load two.tar", "runpack inspect alpine other"),
];

#[test]
fn what_is_said_of_a_file_that_is_no_image_makes_one() {
    let host = host();
    host.ok("set -eu; runpack unpack alpine tree; cp -a tree 'a b'; tar -C tree -cf tree.tar .; bzip2 -k tree.tar; xz -k file
        echo x >x; tar -cf odd.tar x; skopeo copy -q docker-archive:file oci-archive:oci.tar:new; skopeo copy -q docker-archive:file oci:arm:new
        umoci config --image arm:new --architecture s390x; tar -c x | runpack import - other; runpack save -o two.tar alpine other");
    each_works(&host, &OF_FILES);
}

/// A terminal has both its words on one stream.
const AT_TERMINAL: [Row; 4] = [
    row(
        "script -qec 'runpack load' log </dev/null | tr -d '\\r' >&2; false",
        "runpack load FILE",
        "{}",
        NEW,
    ),
    row(
        "script -qec 'runpack load' log </dev/null | tr -d '\\r' >&2; false",
        "< FILE",
        "runpack load {}",
        NEW,
    ),
    row(
        "script -qec 'runpack save alpine' log </dev/null | tr -d '\\r' >&2; false",
        "-o FILE",
        "rm file; runpack save {} alpine",
        "runpack rmi alpine; runpack load file",
    ),
    row(
        "script -qec 'runpack save alpine' log </dev/null | tr -d '\\r' >&2; false",
        "> FILE",
        "rm file; runpack save alpine {}",
        "runpack rmi alpine; runpack load file",
    ),
];

#[test]
fn what_is_said_at_a_terminal_goes_past_it() {
    each_works(&host(), &AT_TERMINAL);
}

#[rustfmt::skip] // a line or two each
const OF_NAMES: [Row; 7] = [
    row("runpack inspect new", "runpack load FILE", "{}", NEW),
    row("runpack inspect new", "runpack images", "{} | grep -w alpine", ""),
    row("runpack inspect alpin", "\"alpine:latest\"", "runpack inspect {}", ""),
    row("runpack images | runpack rmi -", "runpack images -q", "{} | runpack inspect -", ""),
    row("runpack images -f x=y", "dangling=true", "runpack images -f {}", ""),
    row("runpack rmi alpine", "rrun rm -f box", "{}; runpack rmi alpine", "! rrun inspect box"),
    row("runpack load file -t alpine; runpack tag alpine other; runpack rmi $(runpack images -q alpine)", "--force",
        "runpack rmi {} $(runpack images -q alpine)", "[ -z \"$(runpack images -q)\" ]"),
];

#[test]
fn what_is_said_of_a_name_finds_or_frees_it() {
    let host = host();
    host.ok("rrun create --name box alpine");
    each_works(&host, &OF_NAMES);
}

#[rustfmt::skip] // a line or two each
const OF_PROGRAMS: [Row; 6] = [
    row("runpack pack -t x --bin './a b/mode'", "chmod +x '{HERE}/a b/mode'",
        "{}; runpack pack -t made --bin sh id './a b/mode'", "rrun run --rm --net none made '{HERE}/a b/mode'"),
    row("runpack pack -t x --bin './a b/crlf'", "sed -i 's/\\r$//' '{HERE}/a b/crlf'",
        "{}; runpack pack -t made --bin sh id './a b/crlf'", "rrun run --rm --net none made '{HERE}/a b/crlf'"),
    row("runpack pack -t x --bin './a b/env'", "#!/usr/bin/env -S sh -e",
        "sed -i '1s,.*,{},' 'a b/env'; runpack pack -t made --bin id './a b/env'", "rrun run --rm --net none made '{HERE}/a b/env'"),
    row("runpack pack -t x --bin './a b'", "--add '{HERE}/a b':'{HERE}/a b'",
        "runpack pack -t made --bin cat {}", "rrun run --rm --net none made cat '{HERE}/a b/mode'"),
    row("runpack pack -t x --bin id --user web", "--add FILE:/etc/passwd",
        "runpack pack -t made --bin id --user web {}", "[ \"$(rrun run --rm --net none made id -u)\" = 7 ]"),
    row("LD_LIBRARY_PATH=\"$PWD/a b\" runpack pack -t x --bin ./app", "--env LD_LIBRARY_PATH='{HERE}/a b'",
        "runpack pack -t made --bin ./app {}", "rrun run --rm --net none made '{HERE}/app'"),
];

#[test]
fn what_is_said_of_a_program_packs_it() {
    let host = host();
    host.ok("set -eu; mkdir 'a b'; cd 'a b'; printf '#!/bin/sh\\nid -u\\n' >mode; printf '#!/bin/sh\\r\\nid -u\\r\\n' >crlf
        printf '#!/usr/bin/env sh -e\\nid -u\\n' >env; chmod +x crlf env; echo 'int f(void) { return 0; }' | cc -shared -o libodd.so -x c -
        cd ..; echo 'int f(void); int main(void) { return f(); }' | cc -o app -x c - -L'a b' -lodd; echo 'web:x:7:7::/:/bin/sh' >file");
    each_works(&host, &OF_PROGRAMS);
}
