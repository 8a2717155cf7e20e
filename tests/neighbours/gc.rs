//! `rrun gc` by somebody who believes that more is better.

use kit_test::Host;

use super::beside;

/// F17a
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
