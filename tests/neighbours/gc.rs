//! `rrun gc` by somebody who believes that more is better.

use kit_test::Host;

use super::beside;

#[test]
fn gc_in_a_loop_breaks_no_start_no_stop_and_no_load() {
    let host = Host::new();
    host.ok("rrun save -o tools.tar tools");
    let gc = "rrun gc >/dev/null 2>>gc.err || exit 1";
    beside(&host, gc, 8, |round| {
        let name = format!("c{round}");
        let script = format!(
            "rrun run --rm -m 64m -v /anon tools sh -c 'echo >/anon/file' & one=$!
             rrun run --rm -p 80 tools sh -c : & two=$!
             rrun load -q -i tools.tar >/dev/null & three=$!
             rrun run -d --name {name} -v vol:/vol tools sleep 1000 >/dev/null
             rrun exec {name} sh -c :
             rrun stop -t 0 {name} >/dev/null && rrun start {name} >/dev/null && rrun rm -f {name} >/dev/null
             wait $one && wait $two && wait $three"
        );
        let (code, _, said) = host.outcome(&format!("set -e; {script}"));
        assert_eq!((code, said.as_str()), (0, ""), "round {round}");
    });
    assert_eq!(
        host.ok("cat gc.err; rrun ps -aq; rrun gc >/dev/null; rrun gc"),
        ""
    );
}

/// What makes files and runs nothing meanwhile: each leaves them whole, where gc sweeps what nobody has.
#[test]
fn gc_in_a_loop_breaks_no_create_and_no_work_on_images() {
    let host = Host::new();
    host.ok(
        "runpack unpack tools files; tar -C files -c . >files.tar; rrun save -o tools.tar tools",
    );
    let gc = "rrun gc >/dev/null 2>>gc.err || exit 1";
    beside(&host, gc, 8, |round| {
        let script = format!(
            "rrun create --name c{round} -v /anon -v vol:/bin tools sh -c 'echo >/anon/file; ls /bin' >/dev/null & one=$!
             rrun import files.tar imported >/dev/null & two=$!
             runpack pack -t packed --bin sh >/dev/null & three=$!
             runpack unpack tools out & four=$!
             rrun save -o saved.tar tools & five=$!
             for job in $one $two $three $four $five; do wait $job; done
             rrun start -a c{round} | grep -qx sh
             rrun run --rm --net none imported sh -c :
             rrun run --rm --net none packed sh -c :
             diff -r --no-dereference files out
             cmp tools.tar saved.tar
             rrun rm -v c{round} >/dev/null
             rrun volume rm vol >/dev/null
             rrun rmi imported packed >/dev/null
             rm -r out saved.tar"
        );
        let (code, out, said) = host.outcome(&format!("set -e; {script}"));
        let got = (code, out.as_str(), said.as_str());
        assert_eq!(got, (0, "", ""), "round {round}");
    });
    assert_eq!(
        host.ok("cat gc.err; rrun ps -aq; rrun volume ls -q; rrun gc >/dev/null; rrun gc"),
        ""
    );
}
