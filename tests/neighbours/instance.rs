//! Another instance on the same machine: roots of its own, the same kernel.

use kit_test::Host;

use super::beside;

#[test]
fn another_instance_that_runs_stops_and_cleans_up_changes_nothing_of_ours() {
    let host = Host::new();
    let other = "export BOXKIT_ROOT=$PWD/root2 BOXKIT_RUN=$PWD/run2";
    host.ok(&format!(
        "rrun save tools -o tools.tar && ({other}; rrun load -q -i tools.tar)"
    ));
    host.ok("rrun run -d --name web -p 8080:80 tools socat TCP-LISTEN:80,fork,reuseaddr 'SYSTEM:echo page'");
    let asks = "socat -t 5 - TCP:127.0.0.1:8080 </dev/null";
    host.until(&format!("{asks} | grep -q page"));
    let theirs = format!(
        "({other}; rrun run -d --name web -p 80 tools sleep 1000; rrun run --rm tools hostname; rrun rm -f web; rrun gc) >/dev/null 2>theirs"
    );
    beside(&host, &theirs, 6, |round| {
        assert_eq!(host.ok(asks), "page\n", "round {round}");
        // The name is ours here, and theirs there; the port is one.
        let (code, _, said) = host.outcome("rrun run --rm -p 8080:80 tools hostname");
        assert!(
            code == 125 && said.contains("8080"),
            "round {round}: {said}"
        );
        assert_eq!(
            host.ok("rrun run --rm tools hostname | wc -l"),
            "1\n",
            "round {round}"
        );
        host.ok("rrun gc");
    });
    assert_eq!(host.ok(asks), "page\n");
    assert_eq!(host.ok("rrun ps --format '{{.Names}}'"), "web\n");
    let (code, _, said) =
        host.outcome(&format!("{other}; rrun run --rm -p 8080:80 tools hostname"));
    assert!(code == 125 && said.contains("8080"), "{said}");
    host.ok(&format!(
        "{other}; rrun ps -aq | xargs -r rrun rm -f; rrun gc; [ -z \"$(rrun ps -aq)\" ]"
    ));
    host.ok("rrun rm -f web");
}
