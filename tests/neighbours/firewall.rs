//! Firewalls of others, and their reload.

use kit_test::Host;

use super::beside;

#[test]
fn a_firewall_that_is_reloaded_in_a_loop_breaks_no_start() {
    let host = Host::new();
    let reload = "nft flush ruleset; nft add table inet theirs; nft add chain inet theirs forward '{ type filter hook forward priority 0; policy accept; }'; sleep 0.05";
    beside(&host, reload, 10, |round| {
        let (code, out, said) = host.outcome("rrun run --rm -p 80 tools sh -c 'echo up'");
        assert_eq!((code, out.as_str()), (0, "up\n"), "round {round}: {said}");
    });
    // Theirs is as they left it.
    let theirs = host.ok(
        "rrun gc >/dev/null; nft -j list ruleset | grep -o '\"name\": *\"theirs\"' | head -n 1",
    );
    assert_eq!(theirs.trim(), "\"name\": \"theirs\"");
}
